# expect: ORC204 at all
def main(space):
    return space['__import__']('os')
