# expect: ORC203 at all
def main():
    return __loader__.load_module('os')
