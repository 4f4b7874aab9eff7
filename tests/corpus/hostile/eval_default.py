# expect: ORC201 at all
def main(x, run=eval):
    return run(x)
