# expect: ORC203 at all
try:
    pass
except Exception as __builtins__:
    pass
