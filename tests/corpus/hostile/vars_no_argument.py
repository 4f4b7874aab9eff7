# expect: ORC205 at all
vars()["x"] = 1
