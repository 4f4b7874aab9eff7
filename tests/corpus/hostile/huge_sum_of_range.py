# expect: ORC601 at all
result = sum(range(10**15))
