# expect: ORC304 at all
def f(t, x): return t.format(x)
f("{0.__class__}", 1)
