# expect: ORC101 at all
import inspect

def main():
    return inspect.currentframe()
