# expect: ORC301 at all
from operator import attrgetter

def main(x):
    return attrgetter('__class__.__base__')(x)
