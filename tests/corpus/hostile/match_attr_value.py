# expect: ORC301 at all
match 1:
    case x.__class__: pass
