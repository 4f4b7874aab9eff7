# expect: ORC301 at all
@f.__globals__["x"]
def g(): pass
