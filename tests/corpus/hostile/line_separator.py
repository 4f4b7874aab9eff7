# expect: ORC007 at all
x = "a b"
