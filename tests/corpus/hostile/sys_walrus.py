# expect: ORC402 at all
import sys
(s := sys).modules
