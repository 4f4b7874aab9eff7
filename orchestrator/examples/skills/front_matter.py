"""Parses the front matter of every note with PyYAML's safe loader; a note whose front matter is broken is counted."""

from collections import Counter
from pathlib import Path

import yaml

VAULT = Path("/vault")


def front_matter(text):
    parts = text.split("---\n", 2)
    if not text.startswith("---\n") or len(parts) < 3:
        return {}
    found = yaml.safe_load(parts[1])
    return found if isinstance(found, dict) else {}


def main(folder):
    tags, licences, broken = Counter(), Counter(), []
    for path in sorted((VAULT / folder).glob("*.md")):
        try:
            head = front_matter(path.read_text(encoding="utf-8", errors="replace"))
        except yaml.YAMLError:
            broken.append(path.name)
            continue
        tags.update(str(tag) for tag in head.get("tags") or [])
        licences[str(head.get("license") or "not stated")] += 1
    return {"licences": dict(licences.most_common(8)), "tags": dict(tags.most_common(8)), "broken": broken}
