# expect: ORC009 at all
еval = 1
result = еval
