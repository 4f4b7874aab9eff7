# expect: ORC304 at all
a = "{0.__cl"
b = "ass__}"
(a + b).format(1)
