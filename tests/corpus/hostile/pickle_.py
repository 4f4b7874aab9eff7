# expect: ORC101 at all
import pickle

def main(x):
    return pickle.loads(x)
