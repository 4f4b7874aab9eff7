# expect: ORC101 at all
import importlib

def main():
    return importlib.import_module('o' + 's')
