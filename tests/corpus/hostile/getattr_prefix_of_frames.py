# expect: ORC202 at all
def main(o, n):
    return getattr(o, f"gi_{n}")
