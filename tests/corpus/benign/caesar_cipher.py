import string


def caesar(text, shift, decode=False):
    if decode:
        shift = -shift
    result = []
    for char in text:
        if char.isalpha():
            base = ord("A") if char.isupper() else ord("a")
            result.append(chr((ord(char) - base + shift) % 26 + base))
        else:
            result.append(char)
    return "".join(result)


def rot13(text):
    table = str.maketrans(
        string.ascii_lowercase + string.ascii_uppercase,
        string.ascii_lowercase[13:] + string.ascii_lowercase[:13]
        + string.ascii_uppercase[13:] + string.ascii_uppercase[:13],
    )
    return text.translate(table)


def main(message: str = "Hello, World!", shift: int = 3):
    encrypted = caesar(message, shift)
    assert caesar(encrypted, shift, decode=True) == message
    return {"caesar": encrypted, "rot13": rot13(message)}
