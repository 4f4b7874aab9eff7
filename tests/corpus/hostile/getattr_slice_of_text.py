# expect: ORC501 at all
ALPHABET = "abcdefghijklmnopqrstuvwxyz_"

def main(o):
    return getattr(o, ALPHABET[26] * 2 + "mro" + ALPHABET[26] * 2)
