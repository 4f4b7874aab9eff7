# expect: ORC205 at all
def f(): pass
result = vars(f)
