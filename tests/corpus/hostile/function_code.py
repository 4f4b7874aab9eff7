# expect: ORC301 at all
def main():
    main.__code__ = None
