# expect: ORC201 at all
result = eval('1')

def eval(x):
    return x
