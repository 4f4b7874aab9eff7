# expect: ORC201 at all
eval = None
del eval

def main(x):
    return eval(x)
