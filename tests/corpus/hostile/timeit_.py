# expect: ORC101 at all
import timeit

def main(x):
    return timeit.timeit(x)
