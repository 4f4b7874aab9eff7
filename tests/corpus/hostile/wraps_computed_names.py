# expect: ORC202 at all
import functools

def main(names):
    return functools.wraps(main, assigned=names)(lambda: 1)
