# expect: ORC302 at all
def main(g):
    return g.gi_yieldfrom
