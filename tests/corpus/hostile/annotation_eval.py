# expect: ORC201 at all
def main(x: eval('1') = 0):
    return x
