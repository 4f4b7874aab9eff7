# expect: ORC307 at all
def f(x): pass
f.__annotations__.update(x="1")
