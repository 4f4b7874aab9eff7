# expect: ORC104 at all
import contextlib
contextlib.sys.modules
