# expect: ORC202 at all
[g((), "__class__") for g in (getattr,)]
