# expect: ORC201 at all
result = [eval('1') for x in (1,) if x or (eval := 1)]
