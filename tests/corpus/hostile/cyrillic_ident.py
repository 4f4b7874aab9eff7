# expect: ORC009 at all
pаth = 1
