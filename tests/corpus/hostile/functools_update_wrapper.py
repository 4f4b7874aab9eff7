# expect: ORC203 at all
import functools; d={}
class O:
    __globals__ = d
def f(): pass
functools.update_wrapper(O(), f, assigned=(), updated=("__globals__",))
list(d.values())
