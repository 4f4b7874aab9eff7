# expect: ORC106 at strict standard
try:
    import os
except ImportError:
    os = None
