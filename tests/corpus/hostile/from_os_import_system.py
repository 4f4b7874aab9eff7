# expect: ORC101 at all
from os import system as s

def main():
    return s('id')
