# expect: ORC402 at all
import sys
l = [sys]
l[0].modules
