# expect: ORC501 at all
def main(o):
    return getattr(o, bytes([95, 95, 98, 97, 115, 101, 95, 95]).decode())
