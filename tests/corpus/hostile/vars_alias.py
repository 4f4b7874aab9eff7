# expect: ORC205 at all
v = vars
result = v(v)
