# expect: ORC301 at all
def main(f):
    return f.__wrapped__
