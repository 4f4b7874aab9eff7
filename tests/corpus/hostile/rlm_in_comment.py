# expect: ORC006 at all
x = 1  # ‏ comment
