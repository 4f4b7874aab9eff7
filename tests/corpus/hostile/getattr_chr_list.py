# expect: ORC501 at all
def main(o):
    return getattr(o, "".join(map(chr, [95, 95, 99, 108, 97, 115, 115, 95, 95])))
