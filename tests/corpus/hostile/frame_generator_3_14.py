# expect: ORC302 at all
def main(f):
    return f.f_generator
