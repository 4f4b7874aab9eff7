# expect: ORC201 at all
def main() -> exec("1"):
    return 1
