# expect: ORC401 at all
import sys
def f():
    global s
    s = sys
f()
s.modules
