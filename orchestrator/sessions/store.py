"""``Sessions``: budgets in the records, changed by one writing transaction each, whatever thread or process asks.

What a run may take is set aside before it begins and given back, but for what it took, when it ends. A process that
dies has its reservations charged in full by the next one that opens or continues a session: never too little.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, func, select

from orchestrator.errors import SessionError
from orchestrator.records import Database
from orchestrator.records.deeds import Deed, Keep, without_account
from orchestrator.records.tables import SESSION_RESERVATIONS, SESSIONS
from orchestrator.sandbox.spec import Limits
from orchestrator.sessions.model import Budget, SessionCondition, SessionState, Spent
from orchestrator.sessions.sharing import Share, share
from orchestrator.text import one_line
from orchestrator.validation.finding import Finding

IDLE_SECONDS: Final = 7 * 86_400.0  # not used for so long: expired
KEPT_SECONDS: Final = 30 * 86_400.0  # not used for so long: forgotten, when another is opened
SLACK_SECONDS: Final = 2 * 3600.0
"""A reservation is taken for lost so long after its run's limits. An hour may pass in the queue for a sandbox; the rest
is for the run's beginning and end. Only for processes whose death this machine cannot see."""
MOST_SECONDS: Final = 1e9
MOST_COUNT: Final = 2**31 - 1  # of runs and requests: what the columns hold

_R: Final = SESSION_RESERVATIONS.c
_SUMS: Final = (
    select(_R.session_id, func.sum(_R.wall_seconds), func.sum(_R.cpu_seconds), func.count())
    .where(_R.session_id == bindparam("id"))
    .group_by(_R.session_id)
)
_SESSION: Final = select(SESSIONS).where(SESSIONS.c.id == bindparam("id"))


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that reserves. ``alive`` says whether another one of the same state directory still lives."""

    state_id: str
    instance_id: str
    alive: Callable[[str], bool]


class Sessions:
    """Thread-safe. ``owner`` may be None where nothing is run, only looked at and closed."""

    def __init__(
        self,
        database: Database,
        owner: Owner | None = None,
        *,
        now: Callable[[], float] = time.time,
        keep: Keep | None = None,
    ) -> None:
        """``keep``: opens and closes sessions, and keeps the account of that; None: nobody does."""
        self._database, self._owner, self._now = database, owner, now
        self._keep = keep or without_account(database)

    def open(self, budget: Budget, label: str = "", *, by: str = "") -> SessionState:
        """A new one. ``by``: who wants it, for the audit trail. Raises ``SessionError`` for a budget that is none."""
        _require_sensible(budget)
        at, session_id = self._now(), secrets.token_hex(8)
        values = asdict(budget) | {f"used_{name}": 0 for name in asdict(Spent())}
        values |= {"id": session_id, "opened_at": at, "used_at": at, "label": one_line(label, 200), "closed_at": None}
        bounds = {name: value for name, value in asdict(budget).items() if value is not None}
        facts = {"budget": bounds, "label": values["label"]}
        found: list[SessionState] = []

        def open_it(connection: Connection) -> list[Deed]:
            self._settle_the_dead(connection, at)
            connection.execute(SESSIONS.delete().where(SESSIONS.c.used_at < at - KEPT_SECONDS))
            connection.execute(SESSIONS.insert().values(values))
            found[:] = [self._state(connection, session_id, at)]
            return [Deed("session.opened", "", by=one_line(by, 200), facts=facts, session=session_id)]

        self._keep(open_it)
        return found[0]

    def resume(self, session_id: str) -> SessionState:
        """Raises ``SessionError``: unknown, closed or expired."""
        at = self._now()
        with self._database.writing() as connection:
            self._settle_the_dead(connection, at)
            state = self._state(connection, session_id, at)
            if state.condition == "open":
                connection.execute(SESSIONS.update().where(SESSIONS.c.id == session_id).values(used_at=at))
                return self._state(connection, session_id, at)
        raise SessionError(f"session {state.id} is {state.condition}", hint="open another one")

    def get(self, session_id: str) -> SessionState:
        """Raises ``SessionError``."""
        with self._database.reading() as connection:
            return self._state(connection, session_id, self._now())

    def list(self, *, every: bool = False) -> list[SessionState]:
        """Used last first; ``every``: also those that are not open any more."""
        at = self._now()
        with self._database.reading() as connection:
            ids = connection.scalars(select(SESSIONS.c.id).order_by(SESSIONS.c.used_at.desc(), SESSIONS.c.id)).all()
            found = [self._state(connection, each, at) for each in ids]
        return [each for each in found if every or each.condition == "open"]

    def close(self, session_id: str, *, by: str = "") -> SessionState:
        """No further run begins; runs under way end as they would, and are charged. Idempotent. ``by``: who wants
        that, for the audit trail."""
        at = self._now()
        found: list[SessionState] = []

        def close_it(connection: Connection) -> list[Deed]:
            before = self._state(connection, session_id, at)
            if before.condition != "closed":
                connection.execute(SESSIONS.update().where(SESSIONS.c.id == session_id).values(closed_at=at))
            found[:] = [self._state(connection, session_id, at)]
            if before.condition == "closed":
                return []
            facts = {"used": asdict(before.used), "was": before.condition}
            return [Deed("session.closed", "", by=one_line(by, 200), facts=facts, session=session_id)]

        self._keep(close_it)
        return found[0]

    # --- around a run ----------------------------------------------------------------------------------------------

    def reserve(self, session_id: str, run_id: str, limits: Limits, attempts: int = 1) -> Share | Finding:
        """Set aside what a run may take, or say why it may not begin (SES101 to SES106)."""
        with self._database.writing() as connection:
            return self.reserve_in(connection, session_id, run_id, limits, attempts)

    def reserve_in(
        self, connection: Connection, session_id: str, run_id: str, limits: Limits, attempts: int = 1
    ) -> Share | Finding:
        """``reserve`` in a writing transaction that is under way."""
        if self._owner is None:
            raise ValueError("whoever reserves must be an owner, whose death can be noticed")
        at = self._now()
        found = share(self._state(connection, session_id, at), limits, attempts)
        if isinstance(found, Finding):
            return found
        connection.execute(
            SESSION_RESERVATIONS.insert().values(
                session_id=session_id,
                run_id=run_id,
                at=at,
                expires_at=at + found.reserved.wall_seconds + SLACK_SECONDS,
                state_id=self._owner.state_id,
                instance_id=self._owner.instance_id,
                wall_seconds=found.reserved.wall_seconds,
                cpu_seconds=found.reserved.cpu_seconds,
            )
        )
        connection.execute(SESSIONS.update().where(SESSIONS.c.id == session_id).values(used_at=at))
        return found

    def settle(self, session_id: str, run_id: str, spent: Spent | None) -> None:
        """A run ended: charge ``spent`` (None: it never began) and give the rest back. Of several calls the first
        counts."""
        with self._database.writing() as connection:
            self.settle_in(connection, session_id, run_id, spent)

    def settle_in(self, connection: Connection, session_id: str, run_id: str, spent: Spent | None) -> None:
        there = (_R.session_id == session_id) & (_R.run_id == run_id)
        if connection.execute(SESSION_RESERVATIONS.delete().where(there)).rowcount and spent is not None:
            _charge(connection, session_id, spent)

    def _settle_the_dead(self, connection: Connection, at: float) -> None:
        """Charge in full what processes that died had set aside. Whether one of another state directory (another
        machine's, at the same database) lives cannot be seen: its reservations are waited for."""
        alive: dict[str, bool] = {}
        for row in connection.execute(select(SESSION_RESERVATIONS)).all():
            dead = row.expires_at < at
            if self._owner is not None and row.state_id == self._owner.state_id:
                known = row.instance_id == self._owner.instance_id
                if row.instance_id not in alive:
                    alive[row.instance_id] = known or self._owner.alive(row.instance_id)
                dead = not alive[row.instance_id]
            if dead:
                self.settle_in(connection, row.session_id, row.run_id, Spent(row.wall_seconds, row.cpu_seconds, 1))

    def _state(self, connection: Connection, session_id: str, at: float) -> SessionState:
        row = connection.execute(_SESSION, {"id": session_id}).one_or_none()
        if row is None:
            raise SessionError(f"there is no session {one_line(session_id, 80)}")
        sums = connection.execute(_SUMS, {"id": session_id}).one_or_none()
        reserved = Spent() if sums is None else Spent(sums[1], sums[2], sums[3])
        return _state(row, reserved, at)


def _charge(connection: Connection, session_id: str, spent: Spent) -> None:
    added = {SESSIONS.c[f"used_{name}"]: SESSIONS.c[f"used_{name}"] + value for name, value in asdict(spent).items()}
    connection.execute(SESSIONS.update().where(SESSIONS.c.id == session_id).values(added))


def _state(row: Row[Any], reserved: Spent, at: float) -> SessionState:
    condition: SessionCondition = "open" if at - row.used_at < IDLE_SECONDS else "expired"
    return SessionState(
        row.id,
        row.opened_at,
        row.used_at,
        condition if row.closed_at is None else "closed",
        row.label,
        Budget(row.wall_seconds, row.cpu_seconds, row.runs, row.network_requests),
        Spent(row.used_wall_seconds, row.used_cpu_seconds, row.used_runs, row.used_network_requests),
        reserved,
    )


def _require_sensible(budget: Budget) -> None:
    for name, value in asdict(budget).items():
        if value is None:
            continue
        seconds = name.endswith("_seconds")
        number = isinstance(value, int | float) if seconds else isinstance(value, int)
        least = 0 if name == "network_requests" else 1e-9
        if not number or isinstance(value, bool) or not least <= value <= (MOST_SECONDS if seconds else MOST_COUNT):
            raise SessionError(f"{name}={one_line(repr(value), 40)} is no budget", hint="a positive number, or None")
