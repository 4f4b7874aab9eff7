# expect: ORC304 at all
from functools import partial
partial(str.format, "{0.__class__}")(1)
