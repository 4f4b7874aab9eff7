# expect: ORC307 at all
def f(x): pass
setattr(f, "__annotations__", {"x": "1"})
