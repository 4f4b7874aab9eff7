# expect: ORC301 at all
def f(x: y.__globals__): pass
