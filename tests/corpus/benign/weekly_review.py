from collections import Counter
from datetime import date, timedelta
from pathlib import Path
import re

HEADING = re.compile(r"^##\s+(?P<name>.+)$", re.M)


def week_of(day):
    monday = day - timedelta(days=day.weekday())
    return [monday + timedelta(days=i) for i in range(7)]


def main(day: str = "2024-01-03", folder: str = "Daily"):
    moods, done, headings = Counter(), [], set()
    for d in week_of(date.fromisoformat(day)):
        note = Path("/vault") / folder / f"{d.isoformat()}.md"
        try:
            text = note.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        done += re.findall(r"^- \[x\] (.+)$", text, flags=re.MULTILINE)
        headings |= {m["name"] for m in HEADING.finditer(text)}
        if found := re.search(r"mood:\s*(\w+)", text, re.I):
            moods[found[1].lower()] += 1
    lines = [f"# Week {date.fromisoformat(day):%V}", "", f"Done: {len(done)}", *(f"- {item}" for item in done)]
    if moods:
        lines.append("Mood: " + ", ".join(f"{m} ×{n}" for m, n in moods.most_common()))
    return "\n".join(lines + sorted(headings))
