# expect: ORC304 at all
class A:
    t = "{0.__class__}"
A.t.format(1)
