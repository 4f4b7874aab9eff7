# expect: ORC201 at all
x = 1
result = f"{x:{exec}}"
