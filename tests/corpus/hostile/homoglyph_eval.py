# expect: ORC201 at all
def main(x):
    return ｅｖａｌ(x)
