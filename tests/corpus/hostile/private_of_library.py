# expect: ORC308 at strict standard
import random

def main():
    return random.Random()._randbelow_with_getrandbits
