# expect: ORC304 at all
str.format("{0.__class__}", 1)
