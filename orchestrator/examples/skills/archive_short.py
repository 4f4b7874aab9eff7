"""Moves notes of fewer than ``words`` words from Inbox to Archive, and lists them there."""

from pathlib import Path

VAULT = Path("/vault")


def main(words):
    moved = []
    for note in sorted((VAULT / "Inbox").glob("*.md")):
        if len(note.read_text().split()) < words:
            note.rename(VAULT / "Archive" / note.name)
            moved.append(note.stem)
    lines = "".join(f"* [[{name}]]\n" for name in moved)
    (VAULT / "Archive" / "index.md").write_text(f"# Archived: {len(moved)}\n\n{lines}")
    return {"moved": moved}
