# expect: ORC301 at all
def f(): pass
result = f.__dict__
