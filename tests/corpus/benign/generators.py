from itertools import accumulate, chain, groupby, islice


def windows(items, size):
    iterator = iter(items)
    window = list(islice(iterator, size))
    while len(window) == size:
        yield tuple(window)
        window = window[1:] + list(islice(iterator, 1))


def main(items):
    groups = {key: len(list(group)) for key, group in groupby(sorted(items))}
    return {"windows": list(windows(items, 2)), "groups": groups, "sums": list(chain(accumulate(items)))}
