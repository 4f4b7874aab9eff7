# expect: ORC501 at all
def main(o):
    return getattr(o, f"{95:c}{95:c}base{95:c}{95:c}")
