"""What is known without an orchestrator to ask: from the database of records, and from the engine.

These are states of this moment, so they are gauges: what was forgotten (``db prune``) is not in them any more.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final, get_args

from sqlalchemy import Connection, Select, func, select

from orchestrator.errors import EngineError
from orchestrator.metrics import catalogue as c
from orchestrator.metrics.tally import Series
from orchestrator.records import Database, ReviewState, SetState
from orchestrator.records.tables import AUDIT_RECORDS, CHANGE_SETS, REVIEWS
from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.sandbox.ownership import Instance

SET_STATES: Final[tuple[str, ...]] = get_args(SetState)
REVIEW_STATES: Final[tuple[str, ...]] = get_args(ReviewState)
OWNERS: Final = ("alive", "dead")


def recorded_series(database: Database | None) -> list[Series]:
    """From the records; None: there are none. Raises RecordsError."""
    if database is None:
        runs, sets, reviews = Counter[str](), Counter[str](), Counter[str]()
    else:
        with database.reading() as connection:
            runs, sets, reviews = _runs(connection), _sets(connection), _reviews(connection)
    return [
        _series(c.RECORDED_RUNS, runs, c.STATUSES),
        _series(c.RECORDED_SETS, sets, SET_STATES),
        _series(c.RECORDED_REVIEWS, reviews, REVIEW_STATES),
    ]


def pending_reviews(database: Database) -> int:
    """How many review items wait for a person; not those that are too old by now. Raises RecordsError."""
    with database.reading() as connection:
        return _reviews(connection)["pending"]


def engine_series(engine: Engine | None, instance: Instance | None) -> list[Series]:
    """Containers of the state directory that ``instance`` belongs to. ``engine`` None, or one that fails: not up."""
    down, counts = [Series(c.ENGINE_UP, {(): 0}, {})], Counter[str]()
    if engine is None:
        return down
    try:
        engine.info()
        if instance is not None:
            for row in engine.list({LABEL: "", LABEL_STATE: instance.state_id}):
                counts["alive" if instance.alive(row.labels.get(LABEL_INSTANCE, "")) else "dead"] += 1
    except EngineError:
        return down
    return [Series(c.ENGINE_UP, {(): 1}, {}), _series(c.ENGINE_CONTAINERS, counts, OWNERS)]


def _series(metric: c.Metric, found: Counter[str], known: tuple[str, ...]) -> Series:
    """Each known value, 0 too; whatever else the database holds is "other"."""
    values = {value: float(found[value]) for value in known}
    if rest := sum(count for value, count in found.items() if value not in known):
        values[c.OTHER] = float(rest)
    return Series.of(metric, **values)


def _runs(connection: Connection) -> Counter[str]:
    """A run has several audit records; the outcome is the one about its end."""
    ended = AUDIT_RECORDS.c.kind == "outcome"
    query = select(AUDIT_RECORDS.c.status, func.count()).where(ended).group_by(AUDIT_RECORDS.c.status)
    return _counted(connection, query)


def _sets(connection: Connection) -> Counter[str]:
    query = select(CHANGE_SETS.c.state, func.count()).group_by(CHANGE_SETS.c.state)
    return _counted(connection, query)


def _reviews(connection: Connection) -> Counter[str]:
    """By state, as of now: one that is too old is called expired though nobody has looked at it since."""
    query = select(REVIEWS.c.state, func.count()).group_by(REVIEWS.c.state)
    late = (REVIEWS.c.state == "pending") & (REVIEWS.c.expires_at <= time.time())
    found = _counted(connection, query)
    expired = min(found["pending"], connection.scalar(select(func.count()).select_from(REVIEWS).where(late)) or 0)
    return found + Counter(expired=expired) - Counter(pending=expired)


def _counted(connection: Connection, query: Select[Any]) -> Counter[str]:
    found = Counter[str]()
    for row in connection.execute(query):
        found[row[0]] = row[1]
    return found
