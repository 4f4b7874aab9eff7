# expect: ORC301 at all
def main(x):
    match x:
        case object(__class__=found):
            return found
