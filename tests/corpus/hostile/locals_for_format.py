# expect: ORC201 at all
def main(x):
    return "{x}".format(**locals())
