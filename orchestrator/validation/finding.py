"""``Finding``: one fact about a skill's code. Whether it is allowed is the policy's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``rule`` is a stable id like ``ORC101``; ``subject`` is what the rule looks at (a module, builtin,
    attribute or dotted call); ``line`` and ``column`` count from 1 (0: the whole file)."""

    rule: str
    subject: str
    message: str
    fix: str = ""
    severity: Severity = "error"
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        where = f"line {self.line}:{self.column}: " if self.line else ""
        return f"{where}[{self.rule}] {self.message}" + (f" - {self.fix}" if self.fix else "")
