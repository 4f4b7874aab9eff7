# not strict: writes a log file beside the data by os
import logging
import os
import sys
import traceback


def setup(name, level=logging.DEBUG, folder="/tmp/logs"):
    os.makedirs(folder, exist_ok=True)
    logger = logging.getLogger(name)
    logger.setLevel(level)
    formatter = logging.Formatter("%(asctime)s [%(levelname)s] %(message)s", datefmt="%H:%M:%S")
    for handler in (logging.StreamHandler(sys.stdout), logging.FileHandler(os.path.join(folder, name + ".log"))):
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    return logger


def main():
    log = setup("demo")
    log.info("Processing %d items", 3)
    try:
        {}["missing"]
    except KeyError as e:
        log.error("Missing key: %s", e, exc_info=True)
        traceback.print_exc(file=sys.stdout)
    return os.listdir("/tmp/logs")
