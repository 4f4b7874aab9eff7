# expect: ORC201 at all
def f():
    global e
    e = exec

f()
