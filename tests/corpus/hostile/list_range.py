# expect: ORC601 at all
x = list(range(10**12))
