# expect: ORC203 at all
f = lambda __builtins__: __builtins__
