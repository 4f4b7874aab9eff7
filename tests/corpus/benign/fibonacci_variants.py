from functools import lru_cache, reduce
import time


@lru_cache(maxsize=None)
def fib_memo(n):
    return n if n < 2 else fib_memo(n - 1) + fib_memo(n - 2)


def fib_iter(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def fib_reduce(n):
    return reduce(lambda pair, _: (pair[1], pair[0] + pair[1]), range(n), (0, 1))[0]


def timed(func, *args, **kwargs):
    start = time.perf_counter()
    value = func(*args, **kwargs)
    return value, time.perf_counter() - start


def main(n: int = 90):
    rows = []
    for func in (fib_memo, fib_iter, fib_reduce):
        value, seconds = timed(func, n)
        rows.append({"name": func.__name__, "value": value, "fast": seconds < 1})
    fib_memo.cache_clear()
    return rows
