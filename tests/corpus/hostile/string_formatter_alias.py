# expect: ORC101 at all
from string import Formatter as F
F().format("{0.__class__}", 1)
