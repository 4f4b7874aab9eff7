# expect: ORC401 at all
import sys
s: object = sys
s.modules
