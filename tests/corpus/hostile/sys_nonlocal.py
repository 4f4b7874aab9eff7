# expect: ORC401 at all
import sys
def f():
    s = None
    def g():
        nonlocal s
        s = sys
    g()
    return s.modules
