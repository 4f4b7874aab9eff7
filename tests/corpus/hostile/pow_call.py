# expect: ORC601 at all
pow(10, 10**9)
