# expect: ORC402 at all
import sys
def f(): yield sys
next(f()).modules
