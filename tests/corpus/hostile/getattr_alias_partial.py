# expect: ORC202 at all
from functools import partial
partial(getattr, ())("__class__")
