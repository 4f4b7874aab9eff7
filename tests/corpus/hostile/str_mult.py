# expect: ORC601 at all
x = "x" * 10**10
