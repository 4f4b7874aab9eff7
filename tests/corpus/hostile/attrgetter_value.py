# expect: ORC202 at all
from operator import attrgetter

def main(x, names):
    return list(map(attrgetter, names))
