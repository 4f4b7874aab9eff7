"""Figures about runs, the pool and the vault, for Prometheus.

    catalogue.py   every metric: name, kind, labels, buckets, help; documentation and dashboard are tested against it
    rules.py       the rule ids that may be a label
    tally.py       counts and histograms in plain Python: what a run costs is a few microseconds
    metrics.py     ``Metrics``: what is observed, what is asked when somebody scrapes, and how it is written down
    families.py    the same for prometheus-client, which is imported only once somebody scrapes
    endpoint.py    ``Endpoint``: the HTTP server
    recorded.py    what the records and the engine say, for ``orchestrator metrics``
    scrape.py      reading an endpoint, for ``orchestrator metrics --url``

No label's values come from outside: they are of closed sets, or bounded in number, and everything else is "other".
"""

from orchestrator.metrics.catalogue import CATALOGUE, OTHER, Metric
from orchestrator.metrics.metrics import Metrics

__all__ = ["CATALOGUE", "OTHER", "Metric", "Metrics"]
