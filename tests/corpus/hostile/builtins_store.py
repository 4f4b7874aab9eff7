# expect: ORC203 at all
__builtins__ = {}
