# expect: ORC501 at all
def main(o):
    return getattr(o, "__ssalc__"[::-1])
