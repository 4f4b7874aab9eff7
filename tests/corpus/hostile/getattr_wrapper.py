# expect: ORC202 at all
def g(o, n): return getattr(o, n)
g((), "__class__")
