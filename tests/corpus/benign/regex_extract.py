import re

EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")


def main(text):
    return {
        "emails": EMAIL.findall(text),
        "dates": [m.group("y") for m in re.finditer(r"(?P<y>\d{4})-\d\d", text)],
        "clean": re.sub(r"\s+", " ", text).strip(),
        "raw": "\d",
    }
