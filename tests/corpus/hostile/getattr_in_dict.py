# expect: ORC202 at all
d = {"g": getattr}
d["g"]((), "__class__")
