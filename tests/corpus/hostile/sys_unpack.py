# expect: ORC402 at all
import sys
s, t = sys, 1
s.modules
