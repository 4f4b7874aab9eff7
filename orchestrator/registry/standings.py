"""How skills stand: read before a run, written after it. Functions on a connection of the records.

Of every skill that runs there is a standing, whether it is registered or not, by name, version and code. So nobody
can bring a skill into quarantine by running other code under its name. Only a registered skill goes into quarantine:
somebody relies on its name. Whoever hands in code with each call decides anew each time, and quarantine would be no
wall against that: another name starts anew.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, cast, get_args

from sqlalchemy import Connection, Row, bindparam, delete, func, select

from orchestrator.manifest.model import SkillManifest
from orchestrator.records.direct import Direct
from orchestrator.records.tables import SKILL_EVENTS, SKILL_STANDINGS, SKILLS
from orchestrator.registry import health as states
from orchestrator.registry.health import Health
from orchestrator.registry.model import ITSELF, Counts, EventKind, FollowedKind, SkillEvent, Standing
from orchestrator.registry.rules import finding
from orchestrator.registry.statistics import Statistics, began
from orchestrator.results.model import RunResult
from orchestrator.validation.finding import Finding

MAX_UNREGISTERED: Final = 1000
"""Standings of skills that nobody registered; then those that ran longest ago are forgotten, quarantined ones last."""

MOST_FOLLOWED: Final = 1000
"""Events of one name and version that followed from its runs: a broken skill that is tried every day has two a day, and
one whose trials are all cancelled has one with each call."""

_UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError)  # values of any kind
_S: Final = SKILL_STANDINGS.c
_KEY: Final = (_S.name == bindparam("a"), _S.version == bindparam("b"), _S.code_sha256 == bindparam("c"))
# Built once: they are on the way of every run.
_REGISTERED: Final = select(SKILLS.c.digest, SKILLS.c.disabled, SKILLS.c.reason).where(
    SKILLS.c.name == bindparam("a"), SKILLS.c.version == bindparam("b")
)
_HEALTH: Final = select(_S.health).where(*_KEY, _S.condition == "quarantined")
_STANDING: Final = Direct(
    "SELECT condition, health, statistics FROM skill_standings WHERE name = ? AND version = ? AND code_sha256 = ?"
)
_UPDATE: Final = Direct(
    "UPDATE skill_standings SET condition = ?, health = ?, statistics = ?, updated_at = ?"
    " WHERE name = ? AND version = ? AND code_sha256 = ?"
)


@dataclass(frozen=True, slots=True)
class Gate:
    """What stands before a run. ``quarantine``: the skill's health where it is in quarantine and may have its trial."""

    refusal: Finding | None = None
    quarantine: Health | None = None


def gate(connection: Connection, skill: SkillManifest, at: float) -> Gate:
    """Read only."""
    subject = f"{skill.name}@{skill.version}"
    registered = connection.execute(_REGISTERED, {"a": skill.name, "b": skill.version}).one_or_none()
    if registered is not None and registered.digest != skill.digest:
        detail = f"{subject} has the digest {registered.digest[:12]}, this one {skill.digest[:12]}"
        return Gate(finding("REG101", subject, detail))
    if registered is not None and registered.disabled:
        return Gate(finding("REG102", subject, f"{subject}" + f", {registered.reason}" * bool(registered.reason)))
    text = None if registered is None else connection.scalar(_HEALTH, _key(skill))
    if text is None:
        return Gate()
    health = _health_in(text) or states.unknown("quarantined")
    if not states.may_try(health, at):
        when = (
            f"a trial run may begin in {health.until - at:.0f} s" if at < health.until else "its trial run is under way"
        )
        return Gate(finding("REG103", subject, f"{subject}, after {health.why}; {when}"))
    return Gate(quarantine=health)


def take_trial(connection: Connection, skill: SkillManifest, health: Health, run_id: str, at: float) -> None:
    """``health`` was read in this same writing transaction."""
    _put_health(connection, _key(skill), states.trying(health, run_id, at))
    put_event(connection, SkillEvent(skill.name, skill.version, at, ITSELF, "trial", {"run": run_id}))


def give_back(connection: Connection, skill: SkillManifest, run_id: str) -> None:
    """The trial that ``run_id`` may have taken; no run came of it."""
    found = connection.scalar(_HEALTH, _key(skill))
    if found is not None and (health := _health_in(found)) is not None and health.trial == run_id:
        _put_health(connection, _key(skill), states.given_back(health))


def record(
    connection: Connection,
    skill: SkillManifest,
    result: RunResult,
    at: float,
    *,
    shortened: bool = False,
    counts: Counts = "both",
) -> list[SkillEvent]:
    """One statement to read and one to write, unless something follows from this run: what that is. (Its quarantine
    begins or ends; its standing was not as it was written.) And unless the skill is new.

    A run that was denied before it began makes no standing: whoever asks for a thousand names leaves nothing.
    """
    key = skill.name, skill.version, skill.code_digest
    found = _STANDING(connection, *key).fetchone()
    outcome = "" if counts == "run" else states.outcome_of(result, shortened=shortened)
    if found is None and not outcome and not began(result):
        return []
    before = Standing(*key) if found is None else _standing(key, *found)
    health = states.after(before.health, outcome, run_id=result.run_id, at=at)
    if _begins(before, health) and not _is_registered(connection, skill):
        health = states.after(before.health, outcome, run_id=result.run_id, at=at, quarantine=False)
    statistics = before.statistics if counts == "outcome" else before.statistics.add(result, at)
    if found is not None:
        text = _text(statistics)
        _UPDATE(connection, health.condition, _health_text(health), text, at, *key)
        if len(_WRITTEN) >= _MOST_WRITTEN:
            _WRITTEN.clear()
        _WRITTEN[text] = statistics
    else:
        _insert(connection, Standing(before.name, before.version, before.code_sha256, health, statistics), at)
    events = list(_followed(before, health, result.run_id, at))
    for each in events:
        put_event(connection, each)
    return events


def _is_registered(connection: Connection, skill: SkillManifest) -> bool:
    found = connection.execute(_REGISTERED, {"a": skill.name, "b": skill.version}).one_or_none()
    return found is not None and found.digest == skill.digest


def _begins(before: Standing, now: Health) -> bool:
    return now.condition == "quarantined" and now.strikes != before.health.strikes


def _followed(before: Standing, now: Health, run_id: str, at: float) -> Iterator[SkillEvent]:
    def event(kind: EventKind, detail: dict[str, Any]) -> SkillEvent:
        detail |= {"run": run_id, "code": before.code_sha256}
        return SkillEvent(before.name, before.version, at, ITSELF, kind, detail)

    if before.lost:
        yield event("standing_lost", {"what": ", ".join(before.lost)})
    if _begins(before, now):
        yield event("quarantined", {"why": now.why, "until": now.until})
    elif before.health.condition == "quarantined" != now.condition:
        yield event("released", {"why": "its trial run went well"})


def lift(connection: Connection, name: str, version: str, at: float) -> list[str]:
    """End the quarantine of every code under that name and version; their hashes."""
    query = select(SKILL_STANDINGS).where(_S.name == name, _S.version == version, _S.condition == "quarantined")
    lifted = []
    for row in connection.execute(query).all():
        key = {"a": name, "b": version, "c": row.code_sha256}
        _put_health(connection, key, states.released(_health_in(row.health) or states.unknown("quarantined")))
        lifted.append(row.code_sha256)
    return lifted


def put_event(connection: Connection, event: SkillEvent) -> None:
    values = {each.name: getattr(event, each.name) for each in fields(event)} | {"detail": json.dumps(event.detail)}
    connection.execute(SKILL_EVENTS.insert().values(values))


def stale_events(connection: Connection, before: float) -> Sequence[int]:
    """Ids of what followed from runs, is older than ``before`` (Unix seconds) or more than ``MOST_FOLLOWED`` of one
    name and version; the oldest first. What a person did is not among them."""
    events = SKILL_EVENTS.c
    followed = events.kind.in_(get_args(FollowedKind))
    place = func.row_number().over(partition_by=(events.name, events.version), order_by=events.id.desc())
    numbered = select(events.id, events.at, place.label("place")).where(followed).subquery()
    stale = (numbered.c.at < before) | (numbered.c.place > MOST_FOLLOWED)
    return connection.scalars(select(numbered.c.id).where(stale).order_by(numbered.c.id)).all()


def forget_events(connection: Connection, ids: Sequence[int]) -> None:
    connection.execute(delete(SKILL_EVENTS).where(SKILL_EVENTS.c.id.in_(ids)))


# --- rows ------------------------------------------------------------------------------------------------------------


def standing_of(row: Row[Any]) -> Standing:
    return _standing((row.name, row.version, row.code_sha256), row.condition, row.health, row.statistics)


def _standing(key: tuple[str, str, str], condition: object, health_text: object, statistics_text: object) -> Standing:
    """What of it cannot be read begins anew: neither a run's outcome nor a list must fail for it."""
    health, statistics = _health_in(health_text), _statistics_in(statistics_text)
    if health is not None and statistics is not None:
        return Standing(*key, health, statistics)
    lost = ("health",) * (health is None) + ("statistics",) * (statistics is None)
    health = states.unknown(condition) if health is None else health
    return Standing(*key, health, statistics or Statistics(), lost)


@functools.lru_cache(maxsize=64)  # most skills' health stays as it is from run to run
def _health_in(text: object) -> Health | None:
    try:
        return Health.from_json(json.loads(cast(str, text)))
    except _UNREADABLE:
        return None


_WRITTEN: Final[dict[object, Statistics]] = {}
"""What this process wrote, and so need not be read: a skill that runs again finds what its last run left."""

_MOST_WRITTEN: Final = 64


def _statistics_in(text: object) -> Statistics | None:
    if (known := _WRITTEN.pop(text, None)) is not None:
        return known
    try:
        return Statistics.from_json(json.loads(cast(str, text)))
    except _UNREADABLE:
        return None


def _key(skill: SkillManifest) -> dict[str, Any]:
    return {"a": skill.name, "b": skill.version, "c": skill.code_digest}


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _text(value: Health | Statistics) -> str:
    return _encode(value.to_json())


@functools.lru_cache(maxsize=64)
def _health_text(health: Health) -> str:
    return _text(health)


def _put_health(connection: Connection, key: dict[str, Any], health: Health) -> None:
    connection.execute(
        SKILL_STANDINGS.update().where(*_KEY).values(condition=bindparam("d"), health=bindparam("e")),
        key | {"d": health.condition, "e": _text(health)},
    )


def _insert(connection: Connection, standing: Standing, at: float) -> None:
    connection.execute(
        SKILL_STANDINGS.insert().values(
            name=standing.name,
            version=standing.version,
            code_sha256=standing.code_sha256,
            condition=standing.health.condition,
            health=_text(standing.health),
            statistics=_text(standing.statistics),
            updated_at=at,
        )
    )
    registered = select(SKILLS.c.name).where(SKILLS.c.name == _S.name, SKILLS.c.version == _S.version).exists()
    count = connection.scalar(select(func.count()).select_from(SKILL_STANDINGS).where(~registered)) or 0
    if count > MAX_UNREGISTERED:
        mine = (_S.name == standing.name) & (_S.version == standing.version) & (_S.code_sha256 == standing.code_sha256)
        oldest = select(_S.name, _S.version, _S.code_sha256).where(~registered, ~mine)  # or it could never be counted
        oldest = oldest.order_by(_S.condition == "quarantined", _S.updated_at).limit(count - MAX_UNREGISTERED)
        for row in connection.execute(oldest).all():
            _forget(connection, *row)


def _forget(connection: Connection, name: str, version: str, code_sha256: str) -> None:
    connection.execute(delete(SKILL_STANDINGS).where(*_KEY), {"a": name, "b": version, "c": code_sha256})
    left = select(_S.name).where(_S.name == name, _S.version == version).exists()
    events = SKILL_EVENTS.c
    connection.execute(delete(SKILL_EVENTS).where(events.name == name, events.version == version, ~left))
