# expect: ORC201 at all
def f(e=eval): e("1")
