MORSE = {
    "a": ".-", "b": "-...", "c": "-.-.", "d": "-..", "e": ".", "s": "...", "o": "---", "t": "-", " ": "/",
}
REVERSE = {code: letter for letter, code in MORSE.items()}


def to_morse(text):
    return " ".join(MORSE.get(ch, "?") for ch in text.lower())


def from_morse(code):
    return "".join(REVERSE.get(part, "?") for part in code.split())


def main(text="sos dad"):
    code = to_morse(text)
    return {"code": code, "text": from_morse(code)}
