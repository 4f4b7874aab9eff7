import re

ENTRY = re.compile(r"@(\w+)\s*\{\s*([^,]+),(.*?)\n\}", re.S)
FIELD = re.compile(r"(\w+)\s*=\s*[{\"](.*?)[}\"]\s*,?\s*$", re.M)


def parse(text):
    for kind, key, body in ENTRY.findall(text):
        yield {"kind": kind.lower(), "key": key.strip(), **{k.lower(): v for k, v in FIELD.findall(body)}}


def cite(entry):
    authors = entry.get("author", "Unknown").split(" and ")
    names = authors[0] if len(authors) == 1 else f"{authors[0]} et al."
    return f"{names} ({entry.get('year', 'n.d.')}). *{entry['title']}*."


def main(text="@book{knuth,\n  author = {Knuth, D.},\n  title = {TAOCP},\n  year = {1968},\n}"):
    return [cite(e) for e in parse(text)]
