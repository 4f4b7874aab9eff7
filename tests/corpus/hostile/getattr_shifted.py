# expect: ORC501 at all
def main(o):
    return getattr(o, "".join(chr(ord(c) - 1) for c in "``dmbtt``"))
