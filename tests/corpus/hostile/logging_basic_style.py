# expect: ORC304 at all
import logging
logging.basicConfig(format="{msg.__class__.__init__.__globals__}", style="{")
