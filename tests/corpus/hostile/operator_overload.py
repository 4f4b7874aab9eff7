# expect: ORC201 at all
class X:
    pass

X.run = exec
