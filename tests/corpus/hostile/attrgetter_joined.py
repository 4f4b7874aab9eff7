# expect: ORC202 at all
from operator import attrgetter

def main(o, parts):
    return attrgetter("__".join(parts))(o)
