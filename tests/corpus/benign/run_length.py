from itertools import groupby
import re


def encode(text):
    return "".join(f"{len(list(g))}{k}" for k, g in groupby(text))


def decode(text):
    return re.sub(r"(\d+)(\D)", lambda m: m.group(2) * int(m.group(1)), text)


def main(text="WWWWBBBW"):
    packed = encode(text)
    assert decode(packed) == text
    return packed
