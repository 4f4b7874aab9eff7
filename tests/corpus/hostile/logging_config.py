# expect: ORC101 at all
import logging
import logging.config

def main(x):
    return logging.config.dictConfig(x)
