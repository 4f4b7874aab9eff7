# expect: ORC105 at all
import random

def main():
    return random._os.system('id')
