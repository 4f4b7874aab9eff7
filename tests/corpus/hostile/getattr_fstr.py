# expect: ORC501 at all
getattr((), f"__{'class'}__")
