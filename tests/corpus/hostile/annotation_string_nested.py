# expect: ORC301 at all
def f(x: list["y.__globals__"]): pass
