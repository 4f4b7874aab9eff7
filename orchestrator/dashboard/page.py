"""Facts as Markdown, to stand in a note of somebody's vault. Pure; no I/O.

The cells of the tables are hostile: a skill, a manifest or an engine may have chosen them. So nothing but letters,
digits and a few harmless characters stands there as itself; all else is a numeric character reference, which Markdown
shows as the character and never takes for structure. That goes for pipes, backticks, brackets, HTML, tags, comments,
embedded queries (``key::``, ``$=``, ``<%``), bare addresses, and the text of our own markers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from orchestrator.dashboard.facts import AlertRow, Facts, PoolRow, ReviewRow, RunRow, Section, SkillRow, TroubleRow
from orchestrator.text import one_line

T = TypeVar("T")

CELL_CHARACTERS: Final = 120  # of one cell before it is escaped
_PLAIN: Final = frozenset(" -.,/()…")
_ADDRESS: Final = re.compile(r"(?i)www\.")  # some renderers link these without any markup
_NOTHING: Final = "–"


def page(facts: Facts) -> str:
    """What stands between the markers: lines that end in LF."""
    intro = (
        "*Kept by the orchestrator: it rewrites what is between these two markers, and nothing else. "
        f"As of {moment(facts.at)}; ages are as of then.*"
    )
    parts = [
        [intro],
        _section("Skills", facts.skills, _SKILLS, lambda row: _skill(row, facts.at)),
        _section("Waiting for a review", facts.reviews, _REVIEWS, lambda row: _review(row, facts.at)),
        _section("Last runs", facts.runs, _RUNS, lambda row: _run(row, facts.at)),
        _section("Skills in trouble", facts.troubled, _TROUBLED, lambda row: _troubled(row, facts.at)),
        _section("Last alerts", facts.alerts, _ALERTS, lambda row: _alert(row, facts.at)),
        _section("Sandboxes", facts.pool, _POOL, _pool),
    ]
    return "\n" + "\n\n".join("\n".join(lines) for lines in parts) + "\n\n"  # a marker joins no table


_SKILLS: Final = ("Skill", "Runs", "Success", "Last executed", "Errors", "State")
_REVIEWS: Final = ("Item", "Skill", "About", "Why", "Asked", "Expires")
_RUNS: Final = ("Run", "Skill", "Status", "Ended")
_TROUBLED: Final = ("Skill", "State", "Why", "Last executed")
_ALERTS: Final = ("Alert", "Skill", "What", "When", "Kept back since")
_POOL: Final = ("Of", "State")


def _section(title: str, section: Section[T], columns: Sequence[str], cells: Callable[[T], Iterable[str]]) -> list[str]:
    """A heading and a table, or a line that says why there is none. What ``cells`` gives is escaped already."""
    lines = [f"## {title}", ""]
    if section.unknown:
        return [*lines, f"Not known: {cell(section.unknown)}"]
    if not section.rows:
        return [*lines, "None."]
    lines += [_row(columns), "|" + " --- |" * len(columns)]
    lines += [_row(cells(each)) for each in section.rows]
    return [*lines, "", f"And {section.more} more."] if section.more else lines


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _skill(row: SkillRow, now: float) -> Iterator[str]:
    rate = _NOTHING if row.success_rate is None else f"{row.success_rate:.1%}".replace("%", "&#37;")
    yield from (cell(row.skill), str(row.runs), rate, when(row.last_at, now), str(row.errors))
    yield cell(row.state) or _NOTHING


def _review(row: ReviewRow, now: float) -> Iterator[str]:
    yield from (cell(row.id), cell(row.skill), cell(row.kind), cell(row.reason))
    yield from (when(row.asked_at, now), when(row.expires_at, now))


def _run(row: RunRow, now: float) -> Iterator[str]:
    yield from (cell(row.run_id), cell(row.skill), cell(row.status), when(row.at, now))


def _troubled(row: TroubleRow, now: float) -> Iterator[str]:
    yield from (cell(row.skill), cell(row.state), cell(row.why) or _NOTHING, when(row.at, now))


def _alert(row: AlertRow, now: float) -> Iterator[str]:
    yield from (cell(row.kind), cell(row.skill) or _NOTHING, cell(row.message), when(row.at, now))
    yield str(row.suppressed or _NOTHING)


def _pool(row: PoolRow) -> Iterator[str]:
    yield from (cell(row.what), cell(counts(row)))


def counts(row: PoolRow) -> str:
    return ", ".join(f"{count} {word}" for word, count in row.counts.items() if count) or "none"


def cell(text: str) -> str:
    """``text`` as a cell: one line, at most ``CELL_CHARACTERS`` of it, without any meaning to a reader of Markdown."""
    shown = one_line(text, CELL_CHARACTERS)
    escaped = "".join(each if each.isalnum() or each in _PLAIN else f"&#{ord(each)};" for each in shown)
    return _ADDRESS.sub(lambda match: f"{match[0][:-1]}&#46;", escaped)


def moment(seconds: float) -> str:
    """In UTC. What no calendar holds (a damaged record) is shown as nothing."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return _NOTHING


def when(seconds: float | None, now: float) -> str:
    """A moment and how far it is from ``now``: "2026-01-31 12:00:00 UTC (3 h ago)"."""
    if seconds is None:
        return _NOTHING
    return f"{moment(seconds)} ({age(now - seconds)})"


def age(seconds: float) -> str:
    """Roughly, in the largest unit of which there is one; what lies ahead is "in"."""
    size = abs(seconds)
    text = next(
        (f"{size // unit:.0f} {name}" for unit, name in ((86400, "d"), (3600, "h"), (60, "min")) if size >= unit),
        f"{size:.0f} s",
    )
    return f"in {text}" if seconds < 0 else f"{text} ago"
