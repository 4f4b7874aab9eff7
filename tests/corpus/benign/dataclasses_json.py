from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields


@dataclass(order=True)
class Task:
    priority: int
    title: str
    tags: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.tags = sorted(set(self.tags))

    def __str__(self) -> str:
        return f"{self.__class__.__name__}({self.title})"


def main(tasks: list[dict]) -> str:
    found = sorted(Task(**t) for t in tasks)
    return json.dumps({"tasks": [asdict(t) for t in found], "fields": [f.name for f in fields(Task)]}, indent=2)
