# expect: ORC202 at all
name = chr(95) * 2 + "x"

def main(o, n):
    return getattr(o, n)
