# expect: ORC301 at all
def main(x):
    return getattr(x, '__subclasses__')()
