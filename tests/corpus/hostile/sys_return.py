# expect: ORC402 at all
import sys
def f(): return sys
f().modules
