"""``Journal``: the account of alerts that were sent, in the records; and by it, which alerts are sent at all.

So the limits hold for all processes of one state directory together, one after another too. An alert that is kept back
makes no row: it is counted on the row that keeps it back. A row is there before its alert leaves.

Bounded: so many rows for each state directory, and none that is older than so many days.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, Connection, Row, and_, select

from orchestrator.alerts.model import OPPOSITES, Alert, AlertKind, Notice, Slip
from orchestrator.records import Database
from orchestrator.records.tables import ALERTS
from orchestrator.settings import Settings

MOST_ENTRIES: Final = 1000  # for a state directory; more where more may be sent within an hour
KEPT_SECONDS: Final = 90 * 86400.0
_HOUR_SECONDS: Final = 3600.0
_A: Final = ALERTS.c


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert that was sent, or would have been if there were channels. Texts are one escaped line each, without
    secrets. Times are Unix seconds. ``suppressed``: alike ones kept back since; ``limited``: any that the hourly limit
    kept back between this one and the next. ``took`` and ``failed``: of so many ``channels``; what is missing is on
    its way, or its process ended before."""

    kind: AlertKind
    skill: str
    rule: str
    run_id: str
    message: str
    at: float
    sent_at: float
    suppressed: int
    limited: int
    channels: int
    took: int
    failed: int

    @property
    def delivered(self) -> bool:
        """By one channel at least."""
        return self.took > 0


_ENTRY: Final = [ALERTS.c[name] for name in Entry.__dataclass_fields__]


def recent(database: Database, limit: int = 20) -> list[Entry]:
    """The newest first, of all state directories. Raises ``RecordsError``."""
    with database.reading() as connection:
        rows = connection.execute(select(*_ENTRY).order_by(_A.id.desc()).limit(limit))
        return [Entry(**row._asdict()) for row in rows]


@dataclass(frozen=True, slots=True)
class Case:
    """An alert to rule on. ``told``: its document; ``times``: how many alike ones came at once; ``channels``: how many
    would get it."""

    alert: Alert
    told: Mapping[str, Any]
    times: int = 1
    channels: int = 1

    def alike(self, kind: AlertKind) -> ColumnElement[bool]:
        """Rows like it, but for their kind."""
        return and_(_A.kind == kind, _A.skill == self.told["skill"], _A.rule == self.told["rule"])


@dataclass(frozen=True, slots=True)
class Ruling:
    """``notice`` is None for an alert that is kept back."""

    notice: Notice | None


class Journal:
    """Thread-safe. Everything raises ``RecordsError``, and may wait as long as the database does."""

    def __init__(
        self,
        database: Database,
        state_id: str,
        *,
        interval_seconds: float = 300.0,
        per_hour: int = 60,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._state_id = database, state_id
        self._interval, self._per_hour = interval_seconds, per_hour
        self._clock = clock

    @classmethod
    def of(cls, database: Database, settings: Settings, state_id: str) -> Self:
        interval, per_hour = settings.alert_interval_seconds, settings.alert_per_hour
        return cls(database, state_id, interval_seconds=interval, per_hour=per_hour)

    def rule(self, case: Case, wanted: Callable[[], None] = lambda: None) -> Ruling:
        """``Throttle``'s rules, by what all processes sent. ``wanted`` is called last and may raise: then nothing is
        kept. What was only noted, for want of channels, keeps nothing back once there are some."""
        sent = and_(_A.state_id == self._state_id, _A.channels >= min(case.channels, 1))
        with self._database.writing(synced=False) as connection:
            ruling = self._ruling(connection, sent, case, self._clock())  # asked now: it waited for other writers
            wanted()
        return ruling

    def _ruling(self, connection: Connection, sent: ColumnElement[bool], case: Case, now: float) -> Ruling:
        if opposite := OPPOSITES.get(case.alert.kind):
            connection.execute(ALERTS.update().where(sent, case.alike(opposite)).values(ended=True))
        last = _newest(connection, and_(sent, case.alike(case.alert.kind)))
        if last is not None and not last.ended and abs(now - last.sent_at) < self._interval:
            _count(connection, last, suppressed=case.times)
            return Ruling(None)
        newest = _newest(connection, sent)
        if newest is not None and self._sent_within_an_hour(connection, sent, now) >= self._per_hour:
            _count(connection, newest, limited=case.times)
            return Ruling(None)
        slip = Slip(self._add(connection, case, now))
        suppressed = 0 if last is None else last.suppressed
        return Ruling(Notice(case.alert, suppressed, 0 if newest is None else newest.limited, slip))

    def _sent_within_an_hour(self, connection: Connection, sent: ColumnElement[bool], now: float) -> int:
        """Counted up to the limit only. Before or after ``now``: a clock may have been set back."""
        within = and_(sent, _A.sent_at > now - _HOUR_SECONDS, _A.sent_at < now + _HOUR_SECONDS)
        return len(connection.execute(select(_A.id).where(within).limit(self._per_hour)).all())

    def note(self, case: Case, slip: Slip) -> None:
        """One that was sent without a ruling from here. ``slip`` gets its place."""
        with self._database.writing(synced=False) as connection:
            id = self._add(connection, case, self._clock())
        slip.id = id

    def _add(self, connection: Connection, case: Case, now: float) -> int:
        texts = {name: case.told[name] for name in ("kind", "skill", "rule", "run_id", "message")}
        counts = {"suppressed": case.times - 1, "limited": 0, "channels": case.channels, "took": 0, "failed": 0}
        row = {"state_id": self._state_id, "sent_at": now, "at": case.alert.at, "ended": False}
        added = connection.execute(ALERTS.insert().values(**texts, **counts, **row)).inserted_primary_key
        self._forget(connection, now)
        return int(added[0]) if added else 0

    def _forget(self, connection: Connection, now: float) -> None:
        most = max(MOST_ENTRIES, self._per_hour)
        mine = _A.state_id == self._state_id
        beyond = select(_A.id).where(mine).order_by(_A.id.desc()).offset(most).limit(1).scalar_subquery()
        connection.execute(ALERTS.delete().where(mine, _A.id <= beyond))
        connection.execute(ALERTS.delete().where(_A.sent_at < now - KEPT_SECONDS))

    def report(self, slip: Slip, *, took: bool) -> None:
        """What became of it in one channel."""
        column = _A.took if took else _A.failed
        if slip.id is not None:
            with self._database.writing(synced=False) as connection:
                connection.execute(ALERTS.update().where(_A.id == slip.id).values({column: column + 1}))


def _newest(connection: Connection, where: ColumnElement[bool]) -> Row[Any] | None:
    return connection.execute(select(ALERTS).where(where).order_by(_A.id.desc()).limit(1)).one_or_none()


def _count(connection: Connection, row: Row[Any], *, suppressed: int = 0, limited: int = 0) -> None:
    counts = {"suppressed": _A.suppressed + suppressed, "limited": _A.limited + limited}
    connection.execute(ALERTS.update().where(_A.id == row.id).values(counts))
