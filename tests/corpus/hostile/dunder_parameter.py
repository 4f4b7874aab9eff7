# expect: ORC203 at all
def main(__builtins__=None):
    return len('x')
