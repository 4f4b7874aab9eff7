# expect: ORC201 at all
x = {}
del x[exec("1")]
