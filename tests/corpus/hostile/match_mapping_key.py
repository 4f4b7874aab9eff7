# expect: ORC204 at all
match {}:
    case {"__builtins__": b}:
        b["exec"]("1")
