import difflib


def ngrams(text, n=3):
    padded = f"  {text.lower()} "
    return {padded[i : i + n] for i in range(len(padded) - n + 1)}


def jaccard(a, b):
    x, y = ngrams(a), ngrams(b)
    return len(x & y) / len(x | y) if x | y else 1.0


def soundex(name):
    codes = {**dict.fromkeys("bfpv", "1"), **dict.fromkeys("cgjkqsxz", "2"), **dict.fromkeys("dt", "3"),
             "l": "4", **dict.fromkeys("mn", "5"), "r": "6"}
    name = name.lower()
    digits = [codes.get(ch, "") for ch in name]
    out = name[0].upper()
    for previous, digit in zip(digits, digits[1:]):
        if digit and digit != previous:
            out += digit
    return (out + "000")[:4]


def main(a="Robert", b="Rupert"):
    return {
        "ratio": round(difflib.SequenceMatcher(None, a, b).ratio(), 3),
        "jaccard": round(jaccard(a, b), 3),
        "soundex": soundex(a) == soundex(b),
        "close": difflib.get_close_matches("appel", ["ape", "apple", "peach"], n=2, cutoff=0.6),
    }
