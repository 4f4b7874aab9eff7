# expect: ORC201
# level: relaxed
def main(text: str) -> object:
    return eval(text)
