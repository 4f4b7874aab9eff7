# expect: ORC304 at all
T = ["{0.__class__}"]
T[0].format(1)
