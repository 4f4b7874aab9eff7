# expect: ORC202 at all
for g in [getattr]: g((), "__class__")
