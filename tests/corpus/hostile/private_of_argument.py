# expect: ORC308 at strict standard
def main(x):
    return x._inner._secret
