"""What is counted of a skill's runs: how they ended, and how long and how large they were. Pure, mergeable, JSON.

Quantiles come from a histogram whose buckets grow by a constant factor (the idea of DDSketch, VLDB 2019): whatever the
values, a quantile is at most ``RELATIVE_ERROR`` away from a value that was really measured at that rank, and the whole
history takes at most ``LAST_BUCKET - FIRST_BUCKET + 2`` counters, mostly a few dozen.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeVar

from orchestrator.results.model import RunResult, Status

K = TypeVar("K", str, int)

RELATIVE_ERROR: Final = 0.02
_GROWTH: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GROWTH: Final = math.log(_GROWTH)
SMALLEST: Final = 1e-6  # a microsecond, below every clock of ours; what is less counts as nothing
LARGEST: Final = 1e15  # a petabyte in bytes; what is more counts as that
FIRST_BUCKET: Final = math.ceil(math.log(SMALLEST) / _LOG_GROWTH)
LAST_BUCKET: Final = math.ceil(math.log(LARGEST) / _LOG_GROWTH)
_BUCKETS: Final = {str(bucket): bucket for bucket in range(FIRST_BUCKET, LAST_BUCKET + 1)}
_LATEST: Final = 253_000_000_000.0  # in the year 9987: a later moment has no date
_EMPTY: Final[Mapping[Any, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Histogram:
    """``buckets[i]`` values lie in (g**(i-1), g**i], ``nothing`` of them below ``SMALLEST``; g is the growth."""

    nothing: int = 0
    buckets: Mapping[int, int] = field(default_factory=lambda: _EMPTY)

    @property
    def count(self) -> int:
        return self.nothing + sum(self.buckets.values())

    def add(self, value: float) -> Histogram:
        """With one more. NaN and what is negative count as nothing: no measurement gives them."""
        if not value >= SMALLEST:
            return Histogram(self.nothing + 1, self.buckets)
        bucket = max(FIRST_BUCKET, math.ceil(math.log(min(value, LARGEST)) / _LOG_GROWTH))
        return Histogram(self.nothing, {**self.buckets, bucket: self.buckets.get(bucket, 0) + 1})

    def merge(self, other: Histogram) -> Histogram:
        """Of both: the same as if every value had been added to one."""
        return Histogram(self.nothing + other.nothing, _sum(self.buckets, other.buckets))

    def quantile(self, q: float) -> float | None:
        """``q`` of 0 to 1: the value at rank floor(q * (count - 1)), within ``RELATIVE_ERROR``. None: no values."""
        if not (count := self.count):
            return None
        passed = self.nothing
        rank = math.floor(q * (count - 1))
        if rank < passed:
            return 0.0
        for bucket in sorted(self.buckets):
            passed += self.buckets[bucket]
            if rank < passed:
                break
        return float(2 * _GROWTH**bucket / (_GROWTH + 1))  # the point whose relative distance to both ends is least

    def to_json(self) -> dict[str, Any]:
        return {"nothing": self.nothing, "buckets": {str(bucket): count for bucket, count in self.buckets.items()}}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Histogram:
        """``ValueError``, ``LookupError``, ``TypeError`` or ``AttributeError``: it is not as ``to_json`` writes it."""
        buckets = {_BUCKETS[bucket]: count for bucket, count in document["buckets"].items()}
        _require_counts((document["nothing"],))
        _require_counts(buckets.values())
        return cls(document["nothing"], buckets)


@dataclass(frozen=True, slots=True)
class Statistics:
    """``statuses`` counts every run by how it ended, what was denied before it began included. ``ran`` counts those
    of which the supervisor measured something; the histograms are of these."""

    statuses: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    ran: int = 0
    last_at: float | None = None  # when the last that ran ended, Unix seconds
    wall_seconds: Histogram = field(default_factory=Histogram)
    cpu_seconds: Histogram = field(default_factory=Histogram)
    memory_bytes: Histogram = field(default_factory=Histogram)

    @property
    def runs(self) -> int:
        """Without those that were refused before anything of the skill ran: ``statuses`` has them as "not_begun"."""
        return sum(count for status, count in self.statuses.items() if status != NOT_BEGUN)

    def errors(self) -> dict[str, int]:
        """How often each status but those of a run that went well, or never began."""
        said = {*_WELL, NOT_BEGUN}
        return {status: count for status, count in sorted(self.statuses.items()) if status not in said}

    @property
    def success_rate(self) -> float | None:
        """Of the runs that say something about the skill: not the cancelled ones, nor those that we broke or that were
        denied before they began. None: there are none."""
        well = sum(self.statuses.get(status, 0) for status in _WELL)
        ill = sum(self.statuses.get(status, 0) for status in _ILL)
        return well / (well + ill) if well + ill else None

    def add(self, result: RunResult, at: float) -> Statistics:
        kind = result.status.value if result.status is not Status.DENIED or began(result) else NOT_BEGUN
        counted = Statistics(_sum(self.statuses, {kind: 1}), self.ran, self.last_at, *self._histograms())
        usage = result.usage
        if not usage.wall_seconds:
            return counted
        return Statistics(
            counted.statuses,
            self.ran + 1,
            at,
            self.wall_seconds.add(usage.wall_seconds),
            self.cpu_seconds.add(usage.user_cpu_seconds + usage.system_cpu_seconds),
            self.memory_bytes.add(usage.memory_peak_bytes),
        )

    def merge(self, other: Statistics) -> Statistics:
        moments = [at for at in (self.last_at, other.last_at) if at is not None]
        pairs = zip(self._histograms(), other._histograms(), strict=True)
        return Statistics(
            _sum(self.statuses, other.statuses),
            self.ran + other.ran,
            max(moments, default=None),
            *(mine.merge(theirs) for mine, theirs in pairs),
        )

    def _histograms(self) -> tuple[Histogram, Histogram, Histogram]:
        return self.wall_seconds, self.cpu_seconds, self.memory_bytes

    def to_json(self) -> dict[str, Any]:
        return {
            "statuses": dict(self.statuses),
            "ran": self.ran,
            "last_at": self.last_at,
            "wall_seconds": self.wall_seconds.to_json(),
            "cpu_seconds": self.cpu_seconds.to_json(),
            "memory_bytes": self.memory_bytes.to_json(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Statistics:
        """Errors as ``Histogram.from_json``."""
        _require_counts((document["ran"], *document["statuses"].values()))
        if document["last_at"] is not None and not is_moment(document["last_at"]):
            raise ValueError("no statistics")
        names = ("wall_seconds", "cpu_seconds", "memory_bytes")
        histograms = {name: Histogram.from_json(document[name]) for name in names}
        return cls(document["statuses"], document["ran"], document["last_at"], **histograms)


NOT_BEGUN: Final = "not_begun"  # denied before anything of it ran: by the policy, the registry or a session
_WELL: Final = frozenset({"succeeded", "held", "conflict"})
_ILL: Final = frozenset(Status) - {*_WELL, Status.CANCELLED, Status.SANDBOX_ERROR}


def began(result: RunResult) -> bool:
    """Whether the code may have run. (``Timings.run`` is the time that a sandbox was at it.)"""
    return result.timings.run > 0


def is_moment(value: Any) -> bool:
    """Whether it is Unix seconds that have a date (NaN has none)."""
    return type(value) in (int, float) and 0 <= value <= _LATEST


def _require_counts(values: Collection[Any]) -> None:
    """On the way of every run: a sum is a whole number only of such."""
    if type(sum(values)) is not int or min(values, default=0) < 0:
        raise ValueError("no counts")


def _sum(mine: Mapping[K, int], theirs: Mapping[K, int]) -> dict[K, int]:
    return {key: mine.get(key, 0) + theirs.get(key, 0) for key in {**mine, **theirs}}
