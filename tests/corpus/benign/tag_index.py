import re
from collections import defaultdict
from pathlib import Path

TAG = re.compile(r"(?<![\w/])#([A-Za-z][\w/-]*)")
FENCE = re.compile(r"^```.*?^```\s*$", re.MULTILINE | re.DOTALL)


def tags_of(text: str) -> set[str]:
    return {m.group(1).lower() for m in TAG.finditer(FENCE.sub("", text))}


def main(folder: str = "."):
    vault = Path("/vault")
    index: dict[str, list[str]] = defaultdict(list)
    for note in sorted((vault / folder).rglob("*.md")):
        try:
            text = note.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            text = note.read_text(encoding="utf-8", errors="replace")
        for tag in tags_of(text):
            index[tag].append(f"[[{note.stem}]]")
    lines = ["# Tags", ""]
    for tag, links in sorted(index.items(), key=lambda kv: (-len(kv[1]), kv[0])):
        lines.append(f"- **#{tag}** ({len(links)}): {', '.join(links)}")
    return "\n".join(lines)
