# expect: ORC202 at all
def f(g=getattr): return g((), "__class__")
