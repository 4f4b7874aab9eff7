# expect: ORC304 at all
list(map("{0.__class__}".format, [1]))
