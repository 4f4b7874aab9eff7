# expect: ORC402 at all
import sys
(sys or 0).modules
