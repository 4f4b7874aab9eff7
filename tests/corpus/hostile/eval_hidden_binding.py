# expect: ORC201 at all
if 0:
    eval = None

def main(x):
    return eval(x)
