# expect: ORC301 at all
T = f.__globals__
