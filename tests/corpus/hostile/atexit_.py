# expect: ORC101 at all
import atexit

atexit.register(print)
