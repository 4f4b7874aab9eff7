# expect: ORC301 at all
setattr(f, "__code__", g)
