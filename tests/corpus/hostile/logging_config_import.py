# expect: ORC101 at all
import logging.config
