# expect: ORC601 at all
result = 2 ** 2 ** 2 ** 2 ** 2 ** 2
