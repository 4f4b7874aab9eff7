# expect: ORC101 at all
import marshal

def main(x):
    return marshal.loads(x)
