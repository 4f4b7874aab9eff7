# expect: ORC101 at all
from yaml import unsafe_load as safe_load

def main(x):
    return safe_load(x)
