# expect: ORC301 at all
from operator import methodcaller

def main(x):
    return methodcaller('__subclasses__')(x)
