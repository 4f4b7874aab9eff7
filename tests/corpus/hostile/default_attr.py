# expect: ORC301 at all
def g(x=f.__globals__): pass
