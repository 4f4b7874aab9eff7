"""Forgetting what is too old or too much, so that the rest can still be verified.

The records that go are named by a checkpoint in the chain: their last number and its MAC. ``verify`` accepts a chain
that does not begin at 1 only where a sealed checkpoint says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, literal, select, union

from orchestrator.audit import records
from orchestrator.audit.ledger import head_of
from orchestrator.audit.trail import AuditTrail
from orchestrator.records import Database
from orchestrator.records.tables import AUDIT_BLOBS, AUDIT_RECORDS
from orchestrator.settings import Settings

_AT_ONCE: Final = 500  # records in one transaction, some 20 ms: others want to write too
_BLOBS_AT_ONCE: Final = 100
_REST_SECONDS: Final = 0.05  # between two, for whoever waits for the lock
_ROW_BYTES: Final = 600  # of a record, besides its body
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
    rest: Callable[[float], bool] = lambda seconds: False,
) -> Pruned:
    """Forget records older than ``keep_days``, and the oldest while all take more than ``keep_bytes``. The newest
    record always stays. Code and manifests go with the last record that names them. ``RecordsError``.

    ``rest`` is called between two transactions with the seconds to wait; True: the next call does what is left."""
    now_us = time.time_ns() // 1000 if now_us is None else now_us
    with trail.database.reading() as connection:
        through = _through(connection, now_us - round(keep_days * 86400e6), keep_bytes)
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


def _through(connection: Connection, cutoff: int, keep_bytes: int) -> int:
    newest = connection.scalar(select(func.max(_R.seq))) or 0
    kept_from = connection.scalar(select(func.min(_R.seq)).where(_R.at_us >= cutoff)) or newest
    size = int(connection.scalar(select(func.coalesce(func.sum(func.length(_B.content)), 0))) or 0)
    rows = connection.execute(select(_R.seq, func.length(_R.body)).order_by(_R.seq.desc()))
    for seq, length in rows:
        size += length + _ROW_BYTES
        if size > keep_bytes or seq < kept_from:
            return int(min(seq, newest - 1))
    return 0


def _forget(trail: AuditTrail, upto: int) -> int:
    removed = 0

    def also(connection: Connection) -> None:
        nonlocal removed
        removed = connection.execute(AUDIT_RECORDS.delete().where(_R.seq <= upto)).rowcount

    with trail.database.reading() as connection:
        mac = connection.scalar(select(_R.mac).where(_R.seq == upto)) or ""
    trail.append(records.checkpoint(upto, mac), also=also)
    return removed


def _forget_blobs(trail: AuditTrail, rest: Callable[[float], bool]) -> int:
    """Those that no record names. All records are read for that, so it is done without the lock; only those that were
    added since are looked at again with it."""
    with trail.database.reading() as connection:
        newest = connection.scalar(select(func.max(_R.seq))) or 0
        named = union(select(_R.code), select(_R.manifest), select(literal(trail.rules.sha256)))
        orphans = connection.scalars(select(_B.sha256).where(_B.sha256.not_in(named))).all()
    removed = 0
    for start in range(0, len(orphans), _BLOBS_AT_ONCE):
        if start and rest(_REST_SECONDS):
            break
        some = _B.sha256.in_(orphans[start : start + _BLOBS_AT_ONCE])
        since = union(select(_R.code).where(_R.seq > newest), select(_R.manifest).where(_R.seq > newest))
        with trail.database.writing() as connection:
            removed += connection.execute(AUDIT_BLOBS.delete().where(some, _B.sha256.not_in(since))).rowcount
    return removed


def prune_by(database: Database, settings: Settings) -> Pruned:
    """As ``settings`` have it; without a trail nothing is made."""
    with database.reading() as connection:
        if head_of(connection) is None:
            return Pruned()
    with AuditTrail.of(database, settings) as trail:
        return prune(trail, keep_days=settings.audit_days, keep_bytes=settings.audit_mb * 2**20)
