"""Series as prometheus-client's families. Imported once somebody scrapes: that package takes long to import."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from orchestrator.metrics.tally import Series

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

_TEXT: Final[dict[str, Any]] = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


class Families(Collector):
    """A collector over what ``series`` returns at each scrape."""

    def __init__(self, series: Callable[[], Iterable[Series]]) -> None:
        self._series = series

    def describe(self) -> list[Family]:
        return []  # or registering would ask everybody

    def collect(self) -> Iterator[Family]:
        for each in self._series():
            yield _histogram(each) if each.metric.kind == "histogram" else _plain(each)


def _plain(series: Series) -> Family:
    metric = series.metric
    family: CounterMetricFamily | GaugeMetricFamily = _TEXT[metric.kind](metric.name, metric.help, labels=metric.labels)
    for labels, value in series.values.items():
        family.add_metric(labels, value)
    return family


def _histogram(series: Series) -> HistogramMetricFamily:
    metric = series.metric
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    edges = [*map(repr, metric.buckets), "+Inf"]
    for labels, each in series.distributions.items():
        cumulative = [float(count) for count in itertools.accumulate(each.counts)]
        family.add_metric(labels, buckets=list(zip(edges, cumulative, strict=True)), sum_value=each.sum)
    return family


def registry_of(series: Callable[[], Iterable[Series]]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Families(series))
    return registry


def as_text(series: Callable[[], Iterable[Series]]) -> str:
    return generate_latest(registry_of(series)).decode()


def answer(registry: CollectorRegistry, accept: str) -> tuple[str, bytes]:
    """Content type and body, in the format that ``accept`` asks for: Prometheus's text or OpenMetrics."""
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)
