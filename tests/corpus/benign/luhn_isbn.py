def luhn(number: str) -> bool:
    digits = [int(d) for d in number if d.isdigit()][::-1]
    total = sum(digits[0::2])
    for d in digits[1::2]:
        total += sum(divmod(d * 2, 10))
    return total % 10 == 0


def isbn13(code):
    digits = [int(c) for c in code if c.isdigit()]
    return len(digits) == 13 and sum(d * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10 == 0


def iban(code):
    code = code.replace(" ", "").upper()
    moved = code[4:] + code[:4]
    return int("".join(str(int(ch, 36)) for ch in moved)) % 97 == 1


result = {
    "card": luhn("4539 1488 0343 6467"),
    "isbn": isbn13("978-3-16-148410-0"),
    "iban": iban("GB82 WEST 1234 5698 7654 32"),
}
