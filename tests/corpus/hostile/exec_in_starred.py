# expect: ORC201 at all
print(*exec("1"))
