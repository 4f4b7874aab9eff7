# expect: ORC201 at all
match 1:
    case x if exec("1"):
        pass
