# expect: ORC601 at all
x = 10**10**8
