# expect: ORC301 at all
f.__globals__ |= {}
