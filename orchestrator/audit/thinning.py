"""Which anchors stay when there are too many. Pure.

One of a thousand older ones is enough to find a cut end. But where an older copy was put back and gone on with, it is
anchors of the history that was given up which tell of it, and those never come again. So these stay, wherever they are:

* both sides of each place where the number does not rise (several processes that note at once make such places too),
* of each number that has several seals, an anchor of each.

There may be very many of either; then the first and the last of them stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Final

from loguru import logger

if TYPE_CHECKING:
    from orchestrator.audit.anchors import Anchor

NEWEST_KEPT: Final = 1000
EACH_KEPT: Final = 1000  # of the older ones, one of so many
FORKS_KEPT: Final = 100  # of each sort, so many at the beginning and at the end
_SEALS_KEPT: Final = 8  # of one number


def thinned(anchors: Sequence[Anchor]) -> list[Anchor]:
    """In their order."""
    older = max(0, len(anchors) - NEWEST_KEPT)
    kept = {*range(older, len(anchors)), *range(older - 1, -1, -EACH_KEPT)}
    for index in _ends(_falls(anchors), "places where numbers fall"):
        kept |= {index - 1, index}
    several = _several(anchors)
    for seq in _ends(sorted(several), "numbers with several seals"):
        kept.update(islice(several[seq].values(), _SEALS_KEPT))
    return [anchors[index] for index in sorted(kept)]


def _falls(anchors: Sequence[Anchor]) -> list[int]:
    """A start and an end without a record between them note the same twice; that is none."""
    return [
        index
        for index, (one, other) in enumerate(pairwise(anchors), 1)
        if other.seq < one.seq or (other.seq == one.seq and other.mac != one.mac)
    ]


def _several(anchors: Sequence[Anchor]) -> dict[int, dict[str, int]]:
    """Of each number with several seals, where each of them is noted first."""
    found: dict[int, dict[str, int]] = {}
    for index, each in enumerate(anchors):
        found.setdefault(each.seq, {}).setdefault(each.mac, index)
    return {seq: seals for seq, seals in found.items() if len(seals) > 1}


def _ends(found: Sequence[int], what: str) -> Sequence[int]:
    if len(found) <= 2 * FORKS_KEPT:
        return found
    logger.warning("the audit trail's anchors have {} {}: the first and last {} are kept", len(found), what, FORKS_KEPT)
    return [*found[:FORKS_KEPT], *found[-FORKS_KEPT:]]
