# expect: ORC201 at all
def main(x: list['eval("1")'] = 0):
    return x
