"""Forgetting what is too old or too much, so that the rest can still be verified.

The records that go are named by a checkpoint in the chain: their last number and its MAC. ``verify`` accepts a chain
that does not begin at 1 only where a sealed checkpoint says so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, literal, select, union

from orchestrator.audit import records
from orchestrator.audit.ledger import head_of
from orchestrator.audit.trail import AuditTrail
from orchestrator.records import Database
from orchestrator.records.tables import AUDIT_BLOBS, AUDIT_RECORDS
from orchestrator.settings import Settings

_AT_ONCE: Final = 10_000  # records in one transaction: others want to write too
_ROW_BYTES: Final = 600  # of a record, besides its body
_R: Final = AUDIT_RECORDS.c


@dataclass(frozen=True, slots=True)
class Pruned:
    records: int = 0
    blobs: int = 0
    through: int = 0  # the last record that is gone; 0: none


def prune(trail: AuditTrail, *, keep_days: float, keep_bytes: int, now_us: int | None = None) -> Pruned:
    """Forget records older than ``keep_days``, and the oldest while all take more than ``keep_bytes``. The newest
    record always stays. Code and manifests go with the last record that names them. ``RecordsError``."""
    now_us = time.time_ns() // 1000 if now_us is None else now_us
    with trail.database.reading() as connection:
        through = _through(connection, now_us - round(keep_days * 86400e6), keep_bytes)
    gone = blobs = 0
    while through:
        with trail.database.reading() as connection:
            first = connection.scalar(select(func.min(_R.seq))) or 0
        upto = min(through, first + _AT_ONCE - 1)
        if not first or first > through:
            break
        removed, orphans = _forget(trail, upto, last=upto == through)
        gone, blobs = gone + removed, blobs + orphans
    if gone:
        trail.thin_anchors(through + 1)
    return Pruned(gone, blobs, through if gone else 0)


def _through(connection: Connection, cutoff: int, keep_bytes: int) -> int:
    newest = connection.scalar(select(func.max(_R.seq))) or 0
    kept_from = connection.scalar(select(func.min(_R.seq)).where(_R.at_us >= cutoff)) or newest
    size = int(connection.scalar(select(func.coalesce(func.sum(func.length(AUDIT_BLOBS.c.content)), 0))) or 0)
    rows = connection.execute(select(_R.seq, func.length(_R.body)).order_by(_R.seq.desc()))
    for seq, length in rows:
        size += length + _ROW_BYTES
        if size > keep_bytes or seq < kept_from:
            return int(min(seq, newest - 1))
    return 0


def _forget(trail: AuditTrail, upto: int, *, last: bool) -> tuple[int, int]:
    removed = orphans = 0

    def also(connection: Connection) -> None:
        nonlocal removed, orphans
        removed = connection.execute(AUDIT_RECORDS.delete().where(_R.seq <= upto)).rowcount
        if last:
            named = union(select(_R.code), select(_R.manifest), select(literal(trail.rules.sha256)))
            orphans = connection.execute(AUDIT_BLOBS.delete().where(AUDIT_BLOBS.c.sha256.not_in(named))).rowcount

    with trail.database.reading() as connection:
        mac = connection.scalar(select(_R.mac).where(_R.seq == upto)) or ""
    trail.append(records.checkpoint(upto, mac), also=also)
    return removed, orphans


def prune_by(database: Database, settings: Settings) -> Pruned:
    """As ``settings`` have it; without a trail nothing is made."""
    with database.reading() as connection:
        if head_of(connection) is None:
            return Pruned()
    with AuditTrail.of(database, settings) as trail:
        return prune(trail, keep_days=settings.audit_days, keep_bytes=settings.audit_mb * 2**20)
