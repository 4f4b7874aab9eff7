# expect: ORC301 at all
match 1:
    case object(__class__=c): pass
