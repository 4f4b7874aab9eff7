# expect: ORC304 at all
a = "{0.__cl"
a += "ass__}"
a.format(1)
