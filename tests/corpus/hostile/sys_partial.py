# expect: ORC402 at all
import sys, functools
functools.partial(print, sys)
