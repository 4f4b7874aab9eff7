# expect: ORC101 at all
def f():
    import ctypes
