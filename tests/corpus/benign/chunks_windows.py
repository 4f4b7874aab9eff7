from collections import deque
from itertools import chain, islice, tee


def chunked(iterable, size):
    it = iter(iterable)
    while chunk := list(islice(it, size)):
        yield chunk


def sliding(iterable, n):
    it = iter(iterable)
    window = deque(islice(it, n), maxlen=n)
    if len(window) == n:
        yield tuple(window)
    for x in it:
        window.append(x)
        yield tuple(window)


def flatten(nested):
    for item in nested:
        if isinstance(item, (list, tuple)):
            yield from flatten(item)
        else:
            yield item


def partition(predicate, items):
    a, b = tee(items)
    return [x for x in a if predicate(x)], [x for x in b if not predicate(x)]


def moving_average(values, n=3):
    return [round(sum(w) / n, 2) for w in sliding(values, n)]


result = [
    list(chunked(range(7), 3)),
    list(flatten([1, [2, (3, [4])]])),
    partition(str.isupper, "aBcD"),
    moving_average([1, 2, 6, 9]),
    list(chain.from_iterable(zip("ab", "cd"))),
]
