# expect: ORC201 at all
def main(x):
    return f'{x:{eval("1")}}'
