import unicodedata


def main(text):
    größe = len(text)
    normalised = unicodedata.normalize("NFKD", text)
    ascii_only = normalised.encode("ascii", "ignore").decode()
    return {"größe": größe, "ascii": ascii_only, "emoji": "🙂", "names": [unicodedata.name(c, "?") for c in text[:3]]}
