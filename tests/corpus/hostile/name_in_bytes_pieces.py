# expect: ORC501 at all
def main(run):
    return run((b"subpro" + b"cess").decode())
