from operator import attrgetter, itemgetter
from collections import namedtuple

Row = namedtuple("Row", "name score")


def main(rows):
    found = [Row(*r) for r in rows]
    found.sort(key=attrgetter("score", "name"), reverse=True)
    return [r._asdict() for r in found] + sorted([{"a": 1}], key=itemgetter("a"))
