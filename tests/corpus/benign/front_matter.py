import re
from pathlib import Path

import yaml

HEADER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


def read_note(path: Path) -> tuple[dict, str]:
    text = path.read_text(encoding="utf-8")
    found = HEADER.match(text)
    if not found:
        return {}, text
    return yaml.safe_load(found.group(1)) or {}, text[found.end():]


def main(folder: str = "Inbox"):
    notes = []
    for path in sorted(Path("/vault").joinpath(folder).rglob("*.md")):
        meta, body = read_note(path)
        notes.append({"path": str(path), "title": meta.get("title", path.stem), "words": len(body.split())})
    return notes
