# expect: ORC304 at all
def main(x):
    return str.format('{0.__class__}', x)
