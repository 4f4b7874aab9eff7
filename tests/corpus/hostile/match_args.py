# expect: ORC301 at all
class Probe:
    __match_args__ = ('__class__',)

def main(x):
    match x:
        case Probe(found):
            return found
