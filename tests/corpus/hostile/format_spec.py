# expect: ORC304 at all
def main(x):
    return '{0:{0.__class__}}'.format(x)
