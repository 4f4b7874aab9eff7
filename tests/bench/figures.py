"""Figures and rows: what was measured, what it is held against, how it is shown. No measuring here."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Verdict = str  # "PASS", "MISS", or "" where a row has no target


@dataclass(frozen=True)
class Row:
    """One line of the table. ``ratio`` is a median of per-round ratios where rounds were interleaved."""

    name: str
    measured: str
    target: str = ""
    ratio: float | None = None
    verdict: Verdict = ""
    facts: dict[str, Any] = field(default_factory=dict)  # for the JSON: the numbers behind ``measured``


def judged(good: bool) -> Verdict:
    return "PASS" if good else "MISS"


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: an observed value, never one in between."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-len(ordered) * share // 1) - 1))]


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds."""
    return {f"p{share}": round(percentile(seconds, share / 100) * 1e3, 2) for share in (50, 95, 99)}


def shown(seconds: Sequence[float]) -> str:
    figures = spread(seconds)
    return f"{figures['p50']:.1f} / {figures['p95']:.1f} / {figures['p99']:.1f} ms"


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios of each round: noise that lasts longer than a round hits both sides of its ratio."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def ratio_row(name: str, ours: Sequence[float], theirs: Sequence[float], most: float) -> Row:
    """A row that says ours takes at most ``most`` times theirs."""
    ratio = median_ratio(ours, theirs)
    our_ms, their_ms = spread(ours), spread(theirs)
    facts = {"ours_ms": our_ms, "theirs_ms": their_ms, "rounds": len(ours)}
    measured = f"{our_ms['p50']:.1f} against {their_ms['p50']:.1f} ms"
    return Row(name, measured, f"ratio at most {most:.3g}", ratio, judged(ratio <= most), facts)


TITLES = ("measure", "measured", "target", "ratio", "")


def table(rows: Sequence[Row], titles: Sequence[str] = TITLES) -> str:
    """The rows as a Markdown table, padded so that it can be read as it is."""
    cells = [tuple(titles)]
    for row in rows:
        cells.append((row.name, row.measured, row.target, "" if row.ratio is None else f"{row.ratio:.3f}", row.verdict))
    widths = [max(len(line[column]) for line in cells) for column in range(len(TITLES))]
    lines = [f"| {' | '.join(map(str.ljust, line, widths))} |" for line in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def document(rows: Sequence[Row], **more: Any) -> dict[str, Any]:
    return {**more, "rows": [asdict(row) for row in rows]}
