# expect: ORC501 at all
def main(o):
    return getattr(o, "XXclassXX".replace("X", "_"))
