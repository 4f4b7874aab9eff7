# expect: ORC402 at all
import sys
def f(s=sys): return s.modules
