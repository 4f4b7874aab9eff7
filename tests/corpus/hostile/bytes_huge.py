# expect: ORC601 at all
x = bytes(10**10)
