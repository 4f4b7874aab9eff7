# expect: ORC201 at all
def run():
    return eval('1')

result = run()

def eval(x):
    return x
