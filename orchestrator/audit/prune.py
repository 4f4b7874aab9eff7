"""Forgetting what is too old or too much, so that the rest can still be verified.

Records go from the oldest on. Those that go are named by a checkpoint in the chain: their last number and its MAC.
``verify`` accepts a chain that does not begin at 1 only where a sealed checkpoint says so. What stays in any case:

* the newest record,
* the intent of a run without an outcome, and all after it, for ``UNENDED_SECONDS``: such a run may be under way,
* the code, the manifest and the list of rules that a kept record names.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, literal, select, union

from orchestrator.audit import records
from orchestrator.audit.ledger import head_of
from orchestrator.audit.trail import AuditTrail
from orchestrator.records import Database
from orchestrator.records.tables import AUDIT_BLOBS, AUDIT_RECORDS
from orchestrator.settings import Settings
from orchestrator.upkeep import Rest, go_on

UNENDED_SECONDS: Final = 86400
"""No run takes that long. What has no outcome after it was interrupted, and never gets one."""

_AT_ONCE: Final = 500  # records in one transaction, some 20 ms: others want to write too
_BLOBS_AT_ONCE: Final = 100
_READ_AT_ONCE: Final = 2000
_REST_SECONDS: Final = 0.05  # between two, for whoever waits for the lock
_ROW_BYTES: Final = 600  # of a record, besides its body
_SHA256_DIGITS: Final = 64
_R: Final = AUDIT_RECORDS.c
_B: Final = AUDIT_BLOBS.c


@dataclass(frozen=True, slots=True)
class Pruned:
    records: int = 0
    blobs: int = 0
    through: int = 0  # the last record that is gone; 0: none


def prune(
    trail: AuditTrail,
    *,
    keep_days: float,
    keep_bytes: int,
    now_us: int | None = None,
    rest: Rest = go_on,
) -> Pruned:
    """Forget records older than ``keep_days``, and the oldest while all take more than ``keep_bytes``, each with the
    content that no newer one names. ``RecordsError``.

    ``rest`` is called between two transactions with the seconds to wait; True: the next call does what is left."""
    now_us = time.time_ns() // 1000 if now_us is None else now_us
    with trail.database.reading() as connection:
        through = _through(connection, now_us - round(keep_days * 86400e6), keep_bytes)
        through = _before_unended(connection, through, now_us - UNENDED_SECONDS * 10**6)
    gone = upto = 0
    while upto < through and not (upto and rest(_REST_SECONDS)):
        with trail.database.reading() as connection:
            first = connection.scalar(select(func.min(_R.seq))) or 0
        if not first or first > through:
            break
        upto = min(through, first + _AT_ONCE - 1)
        gone += _forget(trail, upto)
    if not gone:
        return Pruned()
    blobs = _forget_blobs(trail, rest)
    trail.thin_anchors(upto + 1)
    return Pruned(gone, blobs, upto)


# --- how far -------------------------------------------------------------------------------------------------------


def _through(connection: Connection, cutoff: int, keep_bytes: int) -> int:
    """The newest record that is too old (``cutoff``: microseconds since 1970) or too much; 0: none. A blob counts with
    the newest record that names it, for it stays as long as that one."""
    newest = connection.scalar(select(func.max(_R.seq))) or 0
    kept_from = connection.scalar(select(func.min(_R.seq)).where(_R.at_us >= cutoff)) or newest
    blobs = _blob_sizes(connection)
    size = 0
    for row in _newest_first(connection):
        named = sum(blobs.pop(name, 0) for name in (row.code, row.manifest, row.ruleset))
        size += row.length + _ROW_BYTES + named
        if size > keep_bytes or row.seq < kept_from:
            return int(min(row.seq, newest - 1))
    return 0


def _blob_sizes(connection: Connection) -> dict[Any, int]:
    length = func.length if connection.dialect.name == "sqlite" else func.octet_length  # either does not read them
    return {name: int(size) for name, size in connection.execute(select(_B.sha256, length(_B.content)))}


def _newest_first(connection: Connection) -> Iterator[Row[Any]]:
    """In batches: a driver that fetches all at once would hold the whole trail."""
    query = select(_R.seq, func.length(_R.body).label("length"), _R.code, _R.manifest, _ruleset(connection))
    before: int | None = None
    while True:
        part = query if before is None else query.where(_R.seq < before)
        batch = connection.execute(part.order_by(_R.seq.desc()).limit(_READ_AT_ONCE)).fetchall()
        yield from batch
        if len(batch) < _READ_AT_ONCE:
            return
        before = batch[-1].seq


def _ruleset(connection: Connection) -> ColumnElement[str]:
    """The blob that an intent names as its rules, in its body; something that is no blob's name in other records."""
    place = func.instr if connection.dialect.name == "sqlite" else func.strpos
    return func.substr(_R.body, place(_R.body, records.RULESET_MARK) + len(records.RULESET_MARK), _SHA256_DIGITS).label(
        "ruleset"
    )


def _before_unended(connection: Connection, through: int, since_us: int) -> int:
    """Not beyond the intent of a run that began since then and has no outcome."""
    outcome = AUDIT_RECORDS.alias("outcome")
    ended = exists().where(and_(outcome.c.run_id == _R.run_id, outcome.c.kind == "outcome"))
    unended = and_(_R.seq <= through, _R.kind == "intent", _R.at_us > since_us, ~ended)
    first = connection.scalar(select(func.min(_R.seq)).where(unended))
    return through if first is None else int(first) - 1


# --- forgetting ----------------------------------------------------------------------------------------------------


def _forget(trail: AuditTrail, upto: int) -> int:
    removed = 0

    def also(connection: Connection) -> None:
        nonlocal removed
        removed = connection.execute(AUDIT_RECORDS.delete().where(_R.seq <= upto)).rowcount

    with trail.database.reading() as connection:
        mac = connection.scalar(select(_R.mac).where(_R.seq == upto)) or ""
    trail.append(records.checkpoint(upto, mac), also=also)
    return removed


def _forget_blobs(trail: AuditTrail, rest: Rest) -> int:
    """Those that no record names. All records are read for that, so it is done without the lock; only those that were
    added since are looked at again with it."""
    with trail.database.reading() as connection:
        newest = connection.scalar(select(func.max(_R.seq))) or 0
        named = union(*_named(connection), select(literal(trail.rules.sha256)))
        orphans = connection.scalars(select(_B.sha256).where(_B.sha256.not_in(named))).all()
    removed = 0
    for start in range(0, len(orphans), _BLOBS_AT_ONCE):
        if start and rest(_REST_SECONDS):
            break
        some = _B.sha256.in_(orphans[start : start + _BLOBS_AT_ONCE])
        with trail.database.writing() as connection:
            since = union(*(each.where(_R.seq > newest) for each in _named(connection)))
            removed += connection.execute(AUDIT_BLOBS.delete().where(some, _B.sha256.not_in(since))).rowcount
    return removed


def _named(connection: Connection) -> Iterator[Select[Any]]:
    yield select(_R.code)
    yield select(_R.manifest)
    yield select(_ruleset(connection)).where(_R.kind == "intent")


def prune_by(database: Database, settings: Settings) -> Pruned:
    """As ``settings`` have it; without a trail nothing is made."""
    with database.reading() as connection:
        if head_of(connection) is None:
            return Pruned()
    with AuditTrail.of(database, settings) as trail:
        return prune(trail, keep_days=settings.audit_days, keep_bytes=settings.audit_mb * 2**20)
