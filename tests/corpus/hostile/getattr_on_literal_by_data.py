# expect: ORC202 at all
def main(name):
    return getattr((), name)
