# expect: ORC201 at all
@eval
@str
def f(): pass
