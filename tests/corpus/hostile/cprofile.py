# expect: ORC101 at all
import cProfile

def main(x):
    return cProfile.run(x)
