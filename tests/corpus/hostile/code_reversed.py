# expect: ORC501 at all
def main(run):
    return run(")'di'(metsys.so ;so tropmi"[::-1])
