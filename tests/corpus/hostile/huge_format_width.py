# expect: ORC601 at all
def main(x):
    return f"{x:>9999999999}"
