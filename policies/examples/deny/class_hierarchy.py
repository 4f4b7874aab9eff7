# expect: ORC301
# level: relaxed
def main() -> int:
    return len(().__class__.__base__.__subclasses__())
