# expect: ORC601 at all
x = 1 << 10**10
