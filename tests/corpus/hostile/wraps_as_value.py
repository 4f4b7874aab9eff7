# expect: ORC202 at all
import functools

def main(f, *rest):
    return list(map(functools.update_wrapper, f, rest))
