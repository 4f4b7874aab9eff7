"""Counts and histograms in plain Python, and the ``Series`` in which they, and figures asked elsewhere, are told."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from orchestrator.metrics.catalogue import LABELS, Metric

LabelValues = tuple[str, ...]

_MOST: Final = 1e15  # what is measured inside a sandbox is not believed beyond any reason: 30 million years, a petabyte


@dataclass(frozen=True, slots=True)
class Distribution:
    """``counts`` for each bucket of the metric and one for what is above the last; not cumulative."""

    counts: tuple[int, ...]
    sum: float


@dataclass(frozen=True, slots=True)
class Series:
    """All samples of one metric: of a counter or gauge in ``values``, of a histogram in ``distributions``."""

    metric: Metric
    values: Mapping[LabelValues, float]
    distributions: Mapping[LabelValues, Distribution]

    @classmethod
    def of(cls, metric: Metric, **values: float) -> Self:
        """Of a metric with one label."""
        return cls(metric, {(label,): value for label, value in values.items()}, {})


class _Histogram:
    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * (buckets + 1)
        self.sum = 0.0


class Tally:
    """Not thread-safe: its owner holds a lock. What is not a number from 0 up to reason is not counted."""

    def __init__(self, metrics: tuple[Metric, ...]) -> None:
        self._values: dict[Metric, dict[LabelValues, float]] = {m: {} for m in metrics if m.kind != "histogram"}
        self._histograms: dict[Metric, dict[LabelValues, _Histogram]] = {
            m: {} for m in metrics if m.kind == "histogram"
        }
        for metric in metrics:
            if all(label in LABELS for label in metric.labels):  # from 0, so that the first event is an increase
                for labels in itertools.product(*(LABELS[label] for label in metric.labels)):
                    self._start(metric, labels)

    def _start(self, metric: Metric, labels: LabelValues) -> None:
        if metric.kind == "histogram":
            self._histograms[metric][labels] = _Histogram(len(metric.buckets))
        else:
            self._values[metric][labels] = 0.0

    def add(self, metric: Metric, *labels: str, amount: float = 1.0) -> None:
        if 0 <= amount < _MOST:
            values = self._values[metric]
            values[labels] = values.get(labels, 0.0) + amount

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        """One value of a distribution. Its labels are of closed sets."""
        if 0 <= value < _MOST:
            histogram = self._histograms[metric][labels]
            histogram.counts[bisect_left(metric.buckets, value)] += 1
            histogram.sum += value

    def series(self) -> list[Series]:
        """A copy."""
        counted = [Series(metric, dict(values), {}) for metric, values in self._values.items()]
        distributed = [
            Series(metric, {}, {labels: Distribution(tuple(each.counts), each.sum) for labels, each in found.items()})
            for metric, found in self._histograms.items()
        ]
        return counted + distributed
