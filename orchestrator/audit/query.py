"""Reading the trail: runs with what became of them, and single records. Nothing here verifies; ``verify`` does. But
whatever somebody put into the tables is read: as text, bytes that are none as ``\\xff``.

A run is what its intent and its outcome say. Without an outcome it is *interrupted*, or *running* where the
orchestrator that started it is alive.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, LargeBinary, Row, Select, and_, cast, exists, func, or_, select

from orchestrator.audit.records import MAX_BODY_BYTES
from orchestrator.audit.rows import MAX_BLOB_BYTES
from orchestrator.records import Database
from orchestrator.records.tables import AUDIT_BLOBS, AUDIT_RECORDS
from orchestrator.strictjson import StrictJSONError, loads

INTERRUPTED: Final = "interrupted"
RUNNING: Final = "running"
_BATCH: Final = 1000
_MOST_BYTES: Final = 4096  # of a name or hash; ours are shorter
_MAX_DEPTH: Final = 100  # of a body or manifest; ours are flatter
_LATEST_US: Final = 253_370_764_800 * 10**6  # 9999-01-01: what can be shown as a date anywhere
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_R: Final = AUDIT_RECORDS.c
_TEXTS: Final = ("kind", "run_id", "skill", "status", "principal", "session", "code", "manifest", "prev", "mac")
Alive = Callable[[str], bool]


def _nobody(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands there. Somebody may have changed it: ``body`` is {} where it is no JSON object, and
    ``at_us`` 0 where it is no time; what stands there instead is ``odd_at``."""

    seq: int
    at_us: int
    kind: str
    run_id: str
    skill: str
    status: str
    principal: str
    session: str
    code: str
    manifest: str
    body: dict[str, Any]
    prev: str
    mac: str
    odd_at: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """``state``: the outcome's status; "interrupted" or "running" where there is none."""

    run_id: str
    state: str
    intent: Record | None
    outcome: Record | None
    events: tuple[Record, ...] = ()
    code: str = ""
    manifest: dict[str, Any] = field(default_factory=dict)
    passed: tuple[str, ...] = ()  # rules that looked and found nothing


@dataclass(frozen=True, slots=True)
class Wanted:
    """What ``search`` looks for; "" and 0: anything. ``skill``: a name, or name@version. Times are microseconds."""

    skill: str = ""
    state: str = ""
    principal: str = ""
    session: str = ""
    rule: str = ""
    since_us: int = 0
    until_us: int = 0


class Reader:
    """``alive``: whether an orchestrator with that claim still runs."""

    def __init__(self, database: Database, alive: Alive = _nobody) -> None:
        self._database, self._alive = database, alive

    def tail(self, count: int) -> list[Record]:
        """The last records, oldest first."""
        with self._database.reading() as connection:
            found = connection.execute(_all(connection).order_by(_R.seq.desc()).limit(count)).fetchall()
        return [_record(each) for each in reversed(found)]

    def states(self, records: Sequence[Record]) -> dict[str, str]:
        """Of the runs whose intents are among ``records``: run id -> state."""
        intents = [each for each in records if each.kind == "intent"]
        with self._database.reading() as connection:
            return {each.run_id: self._state(each, _outcome(connection, each.run_id)) for each in intents}

    def show(self, run_id: str) -> Run | None:
        """All about one run; None: the trail has nothing of it."""
        with self._database.reading() as connection:
            rows = connection.execute(_all(connection).where(_R.run_id == run_id).order_by(_R.seq)).fetchall()
            found = [_record(each) for each in rows]
            if not found:
                return None
            return self._run(connection, run_id, found)

    def _run(self, connection: Connection, run_id: str, found: list[Record]) -> Run:
        intent = next((each for each in found if each.kind == "intent"), None)
        outcome = next((each for each in found if each.kind == "outcome"), None)
        events = tuple(each for each in found if each.kind == "event")
        state = (outcome.status if outcome else "") if intent is None else self._state(intent, outcome)
        if intent is None:
            return Run(run_id, state, None, outcome, events)
        code, manifest = _blob(connection, intent.code), _blob(connection, intent.manifest)
        return Run(
            run_id, state, intent, outcome, events, code.decode("utf-8", "replace"), _object(manifest, MAX_BLOB_BYTES),
            _passed(intent, _object(_blob(connection, _ruleset(intent)), MAX_BLOB_BYTES)),
        )  # fmt: skip

    def search(self, wanted: Wanted, limit: int) -> list[Run]:
        """Runs, newest first, without their code and manifest."""
        found: list[Run] = []
        with self._database.reading() as connection:
            query = _all(connection).where(_R.kind == "intent", *_conditions(wanted)).order_by(_R.seq.desc())
            for row in _streamed(connection, query):
                intent = _record(row)
                outcome = _outcome(connection, intent.run_id)
                run = Run(intent.run_id, self._state(intent, outcome), intent, outcome)
                if wanted.state in ("", run.state):
                    found.append(run)
                if len(found) >= limit:
                    break
        return found

    def records(self, since_us: int = 0, until_us: int = 0) -> Iterator[Record]:
        """All records in their order, a batch at a time: a long reader keeps nobody from writing."""
        after = -(2**63)
        conditions = [_R.at_us >= since_us] if since_us else []
        conditions += [_R.at_us < until_us] if until_us else []
        while True:
            with self._database.reading() as connection:
                query = _all(connection).where(_R.seq > after, *conditions).order_by(_R.seq).limit(_BATCH)
                batch = connection.execute(query).fetchall()
            yield from map(_record, batch)
            if len(batch) < _BATCH:
                return
            after = batch[-1].seq

    def _state(self, intent: Record, outcome: Record | None) -> str:
        if outcome is not None:
            return outcome.status
        instance = intent.body.get("instance")
        return RUNNING if isinstance(instance, str) and instance and self._alive(instance) else INTERRUPTED


def _streamed(connection: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    """Newest first, a batch at a time."""
    before: int | None = None
    while True:
        batch = connection.execute((query if before is None else query.where(_R.seq < before)).limit(_BATCH)).fetchall()
        yield from batch
        if len(batch) < _BATCH:
            return
        before = batch[-1].seq


def _conditions(wanted: Wanted) -> Iterator[Any]:
    outcome = AUDIT_RECORDS.alias("outcome")
    ended = exists().where(and_(outcome.c.run_id == _R.run_id, outcome.c.kind == "outcome"))
    if wanted.skill:
        yield or_(_R.skill == wanted.skill, _R.skill.startswith(f"{wanted.skill}@", autoescape=True))
    if wanted.state in (INTERRUPTED, RUNNING):
        yield ~ended
    elif wanted.state:
        yield exists().where(
            and_(outcome.c.run_id == _R.run_id, outcome.c.kind == "outcome", outcome.c.status == wanted.state)
        )
    for name in ("principal", "session"):
        if value := getattr(wanted, name):
            yield _R[name] == value
    if wanted.rule:
        needle = f'"rule":{json.dumps(wanted.rule)}'
        named = and_(outcome.c.run_id == _R.run_id, outcome.c.body.contains(needle, autoescape=True))
        yield exists().where(named)
    if wanted.since_us:
        yield _R.at_us >= wanted.since_us
    if wanted.until_us:
        yield _R.at_us < wanted.until_us


def _all(connection: Connection) -> Select[Any]:
    """All columns of ``AUDIT_RECORDS``; of SQLite, which stores any type in any column, as bytes."""
    names = [column.name for column in AUDIT_RECORDS.columns if column.name != "seq"]
    return select(_R.seq, *(_raw(connection, name) for name in names))


def _raw(connection: Connection, name: str) -> ColumnElement[Any]:
    most = MAX_BODY_BYTES + 1 if name == "body" else _MOST_BYTES
    if connection.dialect.name == "sqlite":
        return func.substr(cast(_R[name], LargeBinary), 1, most, type_=LargeBinary()).label(name)
    return _R[name] if name in ("number", "at_us") else func.substr(_R[name], 1, most).label(name)


def _record(row: Row[Any]) -> Record:
    at = _text(row.at_us)
    at_us = int(at) if _DIGITS.fullmatch(at) else _LATEST_US
    odd = at_us >= _LATEST_US
    texts = {name: _text(row._mapping[name]) for name in _TEXTS}
    body = _object(row.body, MAX_BODY_BYTES)
    return Record(seq=row.seq, at_us=0 if odd else at_us, body=body, odd_at=at if odd else "", **texts)


def _text(value: Any) -> str:
    return (
        value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else "" if value is None else str(value)
    )


def _object(raw: str | bytes | None, most: int) -> dict[str, Any]:
    try:
        found = loads(raw or b"", max_bytes=most, max_depth=_MAX_DEPTH, what="record")
    except StrictJSONError:
        return {}
    return found if isinstance(found, dict) else {}


def _outcome(connection: Connection, run_id: str) -> Record | None:
    query = _all(connection).where(_R.run_id == run_id, _R.kind == "outcome").order_by(_R.seq).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else _record(row)


def _blob(connection: Connection, name: str) -> bytes:
    if not name:
        return b""
    content = AUDIT_BLOBS.c.content
    shown = cast(content, LargeBinary) if connection.dialect.name == "sqlite" else content
    return connection.scalar(select(shown).where(AUDIT_BLOBS.c.sha256 == name)) or b""


def _ruleset(intent: Record) -> str:
    checks = intent.body.get("checks")
    found = checks.get("ruleset") if isinstance(checks, dict) else ""
    return found if isinstance(found, str) else ""


def _passed(intent: Record, ruleset: dict[str, Any]) -> tuple[str, ...]:
    checks, rules = intent.body.get("checks"), ruleset.get("rules")
    if not isinstance(checks, dict) or not isinstance(rules, list):
        return ()
    lists = [found for name in ("failed", "warned", "would_deny") if isinstance(found := checks.get(name), list)]
    found = [each.get("rule") for each in itertools.chain(*lists) if isinstance(each, dict)]
    return tuple(rule for rule in rules if isinstance(rule, str) and rule not in found)
