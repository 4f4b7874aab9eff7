# expect: ORC401 at all
import logging
logging.currentframe()
