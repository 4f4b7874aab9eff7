# expect: ORC301 at all
def main(x):
    return type(x).__subclasses__()
