# expect: ORC203 at all
"x" in __builtins__
