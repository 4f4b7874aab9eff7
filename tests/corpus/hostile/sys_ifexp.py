# expect: ORC402 at all
import sys
(sys if 1 else 0).modules
