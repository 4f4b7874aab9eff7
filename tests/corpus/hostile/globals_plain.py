# expect: ORC201 at all
def main():
    return globals()['__builtins__']
