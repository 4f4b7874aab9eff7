# expect: ORC201 at all
from functools import partial
partial(eval, "1")()
