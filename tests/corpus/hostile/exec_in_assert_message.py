# expect: ORC201 at all
assert True, exec("1")
