# expect: ORC304 at all
def main(x):
    return '{0.__class__.__init__}'.format(x)
