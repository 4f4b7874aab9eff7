"""Reading the documentation as data: its pages, tables, code blocks, links and headings. Checks are in the tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
OPERATIONS: Final = ROOT / "docs" / "operations.md"
README: Final = ROOT / "README.md"
THREAT_MODEL: Final = ROOT / "docs" / "threat-model.md"
ARCHITECTURE: Final = ROOT / "docs" / "architecture.md"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_ESCAPED_PIPE = "\0"


def pages() -> list[Path]:
    """Every Markdown page a reader may open, the root's first."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return [*sorted(found), ROOT / "policies" / "README.md", ROOT / "sandbox-image" / "README.md"]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block. ``caption`` is the last line of text above it, ``line`` where its code begins."""

    language: str
    code: str
    caption: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(
            language=match[1],
            code=match[2],
            caption=next((line for line in reversed(text[: match.start()].splitlines()) if line), ""),
            line=text.count("\n", 0, match.start()) + 2,
        )
        for match in _FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The ids that GitHub and most renderers give the headings."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for _, heading in _HEADING.findall(prose(page))
    }


def section(page: Path, heading: str) -> str:
    """The text under ``heading``, up to the next one of its rank or above. Fails when there is none."""
    text = page.read_text("utf-8")
    for match in _HEADING.finditer(text):
        if match[2] == heading:
            rank = len(match[1])
            rest = text[match.end() :]
            end = re.search(rf"^#{{1,{rank}}} ", rest, re.MULTILINE)
            return rest[: end.start()] if end else rest
    raise AssertionError(f"{name(page)} has no heading {heading!r}")


def table(page: Path, heading: str, number: int = 0) -> list[dict[str, str]]:
    """The rows of a table under ``heading`` (the first, unless ``number`` says another): column title -> cell, without
    backticks."""
    groups = groupby(section(page, heading).splitlines(), key=lambda line: line.startswith("|"))
    found = [list(lines) for is_table, lines in groups if is_table]
    assert len(found) > number, f"{name(page)} has no table {number} under {heading!r}"
    titles = cells(found[number][0])
    return [dict(zip(titles, cells(line), strict=True)) for line in found[number][2:]]


def cells(line: str) -> list[str]:
    parts = line.replace("\\|", _ESCAPED_PIPE).strip().strip("|").split("|")
    return [part.strip().replace("`", "").replace(_ESCAPED_PIPE, "|") for part in parts]
