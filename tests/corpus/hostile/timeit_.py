# expect: ORC401 at all
import timeit

def main(x):
    return timeit.timeit(x)
