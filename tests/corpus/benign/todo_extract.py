import re
import sys
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Iterator, Optional

TASK_RE = re.compile(r"^\s*[-*]\s\[(?P<state>[ xX])\]\s(?P<text>.+?)(?:\s📅\s(?P<due>\d{4}-\d{2}-\d{2}))?$")


@dataclass(frozen=True)
class Task:
    file: str
    line: int
    text: str
    done: bool
    due: Optional[date] = None

    @property
    def overdue(self) -> bool:
        return not self.done and self.due is not None and self.due < date.today()


def tasks_in(path: Path) -> Iterator[Task]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if m := TASK_RE.match(line):
            due = date.fromisoformat(m["due"]) if m["due"] else None
            yield Task(path.name, number, m["text"], m["state"].lower() == "x", due)


def main(folder="/vault"):
    tasks = [task for p in Path(folder).rglob("*.md") for task in tasks_in(p)]
    if not tasks:
        sys.stderr.write("no tasks\n")
    return [{**asdict(t), "due": t.due and t.due.isoformat(), "overdue": t.overdue} for t in tasks]
