# expect: ORC402 at all
import sys
(lambda s=sys: s.modules)()
