# expect: ORC301 at all
def main(o, x):
    return getattr(o, "__class__" if x else "name")
