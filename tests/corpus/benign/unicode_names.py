import unicodedata


def slugify(text):
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return "-".join("".join(c if c.isalnum() else " " for c in text).lower().split())


def describe(text):
    return [f"U+{ord(c):04X} {unicodedata.name(c, 'UNKNOWN')}" for c in text]


def main(text="Ünïcödé Straße – 東京 ✔️ 👩‍💻"):
    return {"slug": slugify(text), "first": describe(text)[:2], "width": len(text), "upper": text.upper()}
