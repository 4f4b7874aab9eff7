# expect: ORC201 at all
f = eval

def main(x):
    return f(x)
