# expect: ORC304 at all
a = "__class__"
f"{{0.{a}}}".format(1)
