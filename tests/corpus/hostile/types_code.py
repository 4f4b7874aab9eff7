# expect: ORC101 at all
from types import CodeType, FunctionType

def main():
    return CodeType
