# expect: ORC304 at all
T = {"a": "{0.__class__.__mro__}"}
T["a"].format(1)
