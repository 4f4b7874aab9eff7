# expect: ORC601 at all
x = [0] * 10**10
