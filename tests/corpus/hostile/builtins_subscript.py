# expect: ORC203 at all
def main():
    return __builtins__['__import__']('os')
