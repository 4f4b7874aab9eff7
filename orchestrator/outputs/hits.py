"""``Hit``: a secret at a place in some bytes. It says what kind it is and where, not what it says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hit:
    """``kind``: "canary", "known value" or a pattern's name. ``how``: the encoding it was found in, "" for none."""

    rule: str
    kind: str
    start: int
    end: int
    how: str = ""

    @property
    def marker(self) -> str:
        return f"[secret removed: {self.kind.replace('_', ' ')}]"


class TooMany(Exception):  # noqa: N818 - control flow: the text is withheld as a whole
    """More hits than anybody would want replaced one by one."""


def merged(hits: Iterable[Hit]) -> list[Hit]:
    """By place; where they overlap, one that covers both, named as the first."""
    found: list[Hit] = []
    for hit in sorted(hits, key=lambda each: (each.start, -each.end)):
        if found and hit.start < found[-1].end:
            last = found[-1]
            found[-1] = Hit(last.rule, last.kind, last.start, max(last.end, hit.end), last.how)
        else:
            found.append(hit)
    return found
