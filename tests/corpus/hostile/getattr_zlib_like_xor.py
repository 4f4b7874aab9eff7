# expect: ORC501 at all
def main(o):
    return getattr(o, "".join(chr(b ^ 7) for b in [88, 88, 100, 107, 102, 116, 116, 88, 88]))
