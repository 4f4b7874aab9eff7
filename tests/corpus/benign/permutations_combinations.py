import itertools
import math


def permutations(items):
    if len(items) <= 1:
        yield items
        return
    for i, first in enumerate(items):
        for rest in permutations(items[:i] + items[i + 1:]):
            yield [first, *rest]


def combinations(items, k):
    if k == 0:
        return [[]]
    return [[items[i], *rest] for i in range(len(items)) for rest in combinations(items[i + 1:], k - 1)]


def main(items=(1, 2, 3, 4)):
    items = list(items)
    assert sorted(map(tuple, permutations(items))) == sorted(itertools.permutations(items))
    assert len(combinations(items, 2)) == math.comb(len(items), 2)
    coins = [0] + [math.inf] * 30
    for amount in range(1, 31):
        coins[amount] = min((coins[amount - c] + 1 for c in (1, 7, 10) if c <= amount), default=math.inf)
    return {"p": math.perm(4), "change14": coins[14]}
