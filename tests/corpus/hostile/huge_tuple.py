# expect: ORC601 at all
result = (0,) * 9_999_999_999
