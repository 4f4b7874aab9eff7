# expect: ORC101 at all
import shelve

def main():
    return shelve.open('x')
