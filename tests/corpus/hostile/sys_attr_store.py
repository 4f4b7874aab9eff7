# expect: ORC402 at all
import sys
class A: pass
A.s = sys
A.s.modules
