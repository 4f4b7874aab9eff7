# expect: ORC202 at all
def main(o, n):
    return getattr(o, f"__{n}__")
