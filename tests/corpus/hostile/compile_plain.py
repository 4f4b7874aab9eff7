# expect: ORC201 at all
def main(x):
    return compile(x, 'x', 'exec')
