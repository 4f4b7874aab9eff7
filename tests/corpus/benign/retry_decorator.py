import functools
import logging
import random
import time

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(name)s - %(levelname)s - %(message)s")
logger = logging.getLogger(__name__)


def retry(exceptions=(Exception,), tries=3, delay=0.01, backoff=2):
    def decorator(func):
        @functools.wraps(func)
        def wrapper(*args, **kwargs):
            wait = delay
            for attempt in range(1, tries + 1):
                try:
                    return func(*args, **kwargs)
                except exceptions as exc:
                    logger.warning("%s failed (attempt %d/%d): %s", func.__name__, attempt, tries, exc)
                    if attempt == tries:
                        raise
                    time.sleep(wait)
                    wait *= backoff
        return wrapper
    return decorator


@retry(exceptions=(ValueError, KeyError), tries=5)
def flaky(generator):
    if generator.random() < 0.5:
        raise ValueError("bad luck")
    return "ok"


def main(seed: int = 7):
    try:
        return flaky(random.Random(seed))
    except ValueError:
        logger.exception("gave up")
        return None
