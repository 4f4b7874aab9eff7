# expect: ORC301 at all
def main(x):
    del x.__class__
