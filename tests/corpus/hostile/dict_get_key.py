# expect: ORC204 at all
d = {}
d.get("__builtins__")
