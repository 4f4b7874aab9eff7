# expect: ORC301 at all
X: "type" = f.__code__
