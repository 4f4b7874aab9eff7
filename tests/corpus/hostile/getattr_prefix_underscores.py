# expect: ORC202 at all
def main(o, n):
    return getattr(o, "__" + n + "__")
