# expect: ORC301 at all
with x as f.__code__: pass
