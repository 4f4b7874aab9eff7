DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def to_base(n: int, base: int) -> str:
    if n < 0:
        return "-" + to_base(-n, base)
    out = ""
    while True:
        n, r = divmod(n, base)
        out = DIGITS[r] + out
        if n == 0:
            return out


def main(n: int = 255):
    return {
        "bin": bin(n),
        "oct": f"{n:o}",
        "hex": format(n, "#06x"),
        "b36": to_base(n, 36),
        "back": int(to_base(n, 36), 36),
        "bytes": n.to_bytes(4, "big").hex(),
        "char": f"{n:c}",
        "bits": bin(n).count("1"),
    }
