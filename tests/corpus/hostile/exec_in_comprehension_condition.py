# expect: ORC201 at all
result = [x for x in (1,) if exec("1")]
