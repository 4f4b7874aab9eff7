import functools
import time
from typing import Any, Callable, TypeVar

T = TypeVar("T")


def memoise(function: Callable[..., T]) -> Callable[..., T]:
    cache: dict[Any, T] = {}

    @functools.wraps(function)
    def wrapper(*args):
        if args not in cache:
            cache[args] = function(*args)
        return cache[args]

    wrapper.calls = cache
    return wrapper


@memoise
def fibonacci(n: int) -> int:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


@functools.lru_cache(maxsize=None)
def ways(n: int) -> int:
    return 1 if n <= 1 else ways(n - 1) + ways(n - 2)


def main(n=30):
    started = time.perf_counter()
    return {"f": fibonacci(n), "w": ways(n), "name": fibonacci.__name__, "fast": time.perf_counter() - started < 9}
