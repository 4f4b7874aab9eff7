# expect: ORC301 at all
def main(f, o):
    return f.__get__(o)
