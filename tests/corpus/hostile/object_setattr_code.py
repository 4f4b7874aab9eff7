# expect: ORC301 at all
def f(): pass
object.__setattr__(f, "__code__", 1)
