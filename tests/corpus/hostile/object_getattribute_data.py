# expect: ORC202 at all
def main(n):
    return object.__getattribute__((), n)
