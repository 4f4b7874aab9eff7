# expect: ORC004 at all
Literal = list

def main(x: Literal['eval(1)']):
    return x
