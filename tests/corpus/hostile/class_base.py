# expect: ORC301 at all
def main(x):
    return x.__class__.__base__
