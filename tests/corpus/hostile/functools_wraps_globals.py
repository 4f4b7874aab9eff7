# expect: ORC301 at all
import functools
@functools.wraps(f, assigned=("__code__",))
def g(): pass
