# expect: ORC402 at all
import sys
for s in (sys,): s.modules
