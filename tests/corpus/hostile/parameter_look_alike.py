# expect: ORC009 at all
def main(pаth, path=1):
    return pаth
