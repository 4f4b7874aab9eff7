import difflib
from pathlib import Path


def diff(old: str, new: str, name="note.md") -> str:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        fromfile=f"a/{name}",
        tofile=f"b/{name}",
        n=2,
    )
    return "".join(lines)


def stats(patch):
    added = sum(1 for l in patch.splitlines() if l.startswith("+") and not l.startswith("+++"))
    removed = sum(1 for l in patch.splitlines() if l.startswith("-") and not l.startswith("---"))
    return {"added": added, "removed": removed}


def main(first="a.md", second="b.md"):
    vault = Path("/vault")
    texts = [(vault / n).read_text("utf-8") if (vault / n).exists() else "" for n in (first, second)]
    patch = diff(*texts, name=first)
    return {"patch": patch, **stats(patch)}
