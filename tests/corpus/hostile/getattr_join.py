# expect: ORC501 at all
getattr((), "".join(["__cl", "ass__"]))
