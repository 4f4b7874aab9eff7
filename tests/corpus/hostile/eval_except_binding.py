# expect: ORC201 at all
def eval(x):
    return x

try:
    raise ValueError
except ValueError as eval:
    pass

result = eval('1')
