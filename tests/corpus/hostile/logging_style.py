# expect: ORC304 at all
import logging
logging.Formatter("{msg.__class__}", style="{")
