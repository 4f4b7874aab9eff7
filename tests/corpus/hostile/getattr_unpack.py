# expect: ORC202 at all
g, h = getattr, 1
g((), "__class__")
