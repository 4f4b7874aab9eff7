# expect: ORC301 at all
del f.__globals__
