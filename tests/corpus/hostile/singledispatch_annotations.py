# expect: ORC307 at all
import functools
def g(x): pass
g.__annotations__ = {"x": "".join(["print", "(1)"])}
functools.singledispatch(g).register(g)
