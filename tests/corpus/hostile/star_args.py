# expect: ORC202 at all
args = ((), "__class__")
getattr(*args)
