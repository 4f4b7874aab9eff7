# expect: ORC101 at all
import _thread

_thread.start_new_thread(print, ())
