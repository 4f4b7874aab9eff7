# expect: ORC202 at all
import functools

def main(x, path):
    return functools.reduce(getattr, path, x)
