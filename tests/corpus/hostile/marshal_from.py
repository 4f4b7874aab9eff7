# expect: ORC101 at all
from marshal import loads as l
