# expect: ORC202 at all
import operator

def main(x, n):
    return operator.attrgetter('__cl' + n)(x)
