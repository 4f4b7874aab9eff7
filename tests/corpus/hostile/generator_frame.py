# expect: ORC302 at all
def main():
    g = (x for x in ())
    return g.gi_frame.f_back.f_globals
