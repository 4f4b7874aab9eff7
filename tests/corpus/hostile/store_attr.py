# expect: ORC301 at all
f.__code__ = g
