# expect: ORC401 at all
import types

def main(code):
    return types.FunctionType(code, {})
