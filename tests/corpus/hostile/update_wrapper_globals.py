# expect: ORC301 at all
import functools

class Bag:
    pass

def main():
    return functools.update_wrapper(Bag(), main, assigned=(), updated=("__globals__",))
