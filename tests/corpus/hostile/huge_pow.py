# expect: ORC601 at all
x = 9**9**9**9
