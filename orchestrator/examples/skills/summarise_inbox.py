"""Reads every note of a folder and writes Summaries/index.md: a table of the notes and the words they use most."""

import re
from collections import Counter
from pathlib import Path

VAULT = Path("/vault")
WORD = re.compile(r"[^\W\d_]{4,}")
ADDRESS = re.compile(r"\S+://\S+")
COMMON = frozenset(
    "about also another because been before being could does each every first from have here into just like made make "
    "many more most much must need only other over same should some such than that their them then there these they "
    "this those through used using very want were what when where which while will with without would your".split()
)


def body_of(note):
    """The text without its front matter."""
    parts = note.split("---\n", 2)
    return parts[2] if note.startswith("---\n") and len(parts) == 3 else note


def main(folder, top):
    counts, rows, total = Counter(), [], 0
    for path in sorted((VAULT / folder).glob("*.md")):
        text = body_of(path.read_text(encoding="utf-8", errors="replace"))
        words = WORD.findall(ADDRESS.sub(" ", text).lower())
        total += len(words)
        counts.update(word for word in words if word not in COMMON)
        rows.append((path.stem, len(words)))
    common = [word for word, _ in counts.most_common(top)]
    print(f"read {len(rows)} notes")
    index = VAULT / "Summaries" / "index.md"
    lines = [f"# {folder}: {len(rows)} notes, {total} words", "", "Most used: " + ", ".join(common), ""]
    lines += ["| note | words |", "| --- | ---: |", *(f"| [[{name}]] | {count} |" for name, count in rows)]
    index.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"notes": len(rows), "words": total, "top_words": common, "index": "Summaries/index.md"}
