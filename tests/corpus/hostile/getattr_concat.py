# expect: ORC501 at all
getattr((), "__cla" + "ss__")
