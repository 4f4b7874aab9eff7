# expect: ORC304 at all
def main(x, a='__class__'):
    return f'{{0.{a}}}'.format(x)
