from datetime import date, timedelta
from pathlib import Path

TEMPLATE = """# {title}

## Tasks
{tasks}

## Notes

---
[[{yesterday}]] | [[{tomorrow}]]
"""


def open_tasks(path):
    if not path.is_file():
        return []
    return [line for line in path.read_text().splitlines() if line.lstrip().startswith("- [ ]")]


def main(day: str = ""):
    today = date.fromisoformat(day) if day else date.today()
    folder = Path("/vault/Daily")
    folder.mkdir(parents=True, exist_ok=True)
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
    target = folder / f"{today:%Y-%m-%d}.md"
    if target.exists():
        return {"created": False, "path": str(target)}
    tasks = open_tasks(folder / f"{yesterday.isoformat()}.md")
    target.write_text(
        TEMPLATE.format(
            title=today.strftime("%A, %d %B %Y"),
            tasks="\n".join(tasks) or "- [ ] ",
            yesterday=yesterday,
            tomorrow=tomorrow,
        ),
        encoding="utf-8",
    )
    return {"created": True, "path": str(target)}
