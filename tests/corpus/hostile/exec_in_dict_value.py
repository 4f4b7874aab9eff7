# expect: ORC201 at all
OPS = {"+": exec}
