# expect: ORC203 at all
result = [1 for __loader__ in ()]
