"""How skills stand: read before a run, written after it. Functions on a connection of the records.

Of every skill that runs there is a standing, whether it is registered or not, by name, version and code. So nobody
can bring a skill into quarantine by running other code under its name. Only a registered skill goes into quarantine:
somebody relies on its name. Whoever hands in code with each call decides anew each time, and quarantine would be no
wall against that: another name starts anew.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, select

from orchestrator.manifest.model import SkillManifest
from orchestrator.records.direct import Direct
from orchestrator.records.tables import SKILL_EVENTS, SKILL_STANDINGS, SKILLS
from orchestrator.registry import health as states
from orchestrator.registry.health import Health
from orchestrator.registry.model import ITSELF, EventKind, Standing
from orchestrator.registry.rules import finding
from orchestrator.registry.statistics import Statistics, began
from orchestrator.results.model import RunResult
from orchestrator.validation.finding import Finding

MAX_UNREGISTERED: Final = 1000
"""Standings of skills that nobody registered; then those that ran longest ago are forgotten, quarantined ones last."""

_S: Final = SKILL_STANDINGS.c
_KEY: Final = (_S.name == bindparam("a"), _S.version == bindparam("b"), _S.code_sha256 == bindparam("c"))
# Built once: they are on the way of every run.
_REGISTERED: Final = select(SKILLS.c.digest, SKILLS.c.disabled, SKILLS.c.reason).where(
    SKILLS.c.name == bindparam("a"), SKILLS.c.version == bindparam("b")
)
_HEALTH: Final = select(_S.health).where(*_KEY, _S.condition == "quarantined")
_STANDING: Final = Direct(
    "SELECT health, statistics FROM skill_standings WHERE name = ? AND version = ? AND code_sha256 = ?"
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
    health = Health.from_json(json.loads(text))
    if not states.may_try(health, at):
        when = (
            f"a trial run may begin in {health.until - at:.0f} s" if at < health.until else "its trial run is under way"
        )
        return Gate(finding("REG103", subject, f"{subject}, after {health.why}; {when}"))
    return Gate(quarantine=health)


def take_trial(connection: Connection, skill: SkillManifest, health: Health, run_id: str, at: float) -> None:
    """``health`` was read in this same writing transaction."""
    _put_health(connection, _key(skill), states.trying(health, run_id, at))
    put_event(connection, skill.name, skill.version, at=at, by=ITSELF, kind="trial", detail={"run": run_id})


def give_back(connection: Connection, skill: SkillManifest, run_id: str) -> None:
    """The trial that ``run_id`` may have taken; no run came of it."""
    found = connection.scalar(_HEALTH, _key(skill))
    if found is not None and (health := Health.from_json(json.loads(found))).trial == run_id:
        _put_health(connection, _key(skill), states.given_back(health))


def record(
    connection: Connection, skill: SkillManifest, result: RunResult, at: float, *, shortened: bool = False
) -> Health | None:
    """One statement to read and one to write, unless the skill is new or its quarantine begins or ends. The health of
    a skill whose quarantine begins with this run; else None.

    A run that was denied before it began makes no standing: whoever asks for a thousand names leaves nothing.
    """
    key = skill.name, skill.version, skill.code_digest
    found = _STANDING(connection, *key).fetchone()
    outcome = states.outcome_of(result, shortened=shortened)
    if found is None and not outcome and not began(result):
        return None
    before = Standing(*key) if found is None else Standing(*key, _health_in(found[0]), _statistics_in(found[1]))
    health = states.after(before.health, outcome, run_id=result.run_id, at=at)
    if _begins(before, health) and not _is_registered(connection, skill):
        health = states.after(before.health, outcome, run_id=result.run_id, at=at, quarantine=False)
    statistics = before.statistics.add(result, at)
    if found is not None:
        _UPDATE(connection, health.condition, _text(health), _text(statistics), at, *key)
    else:
        _insert(connection, Standing(before.name, before.version, before.code_sha256, health, statistics), at)
    _tell(connection, before, health, result.run_id, at)
    return health if _begins(before, health) else None


def _is_registered(connection: Connection, skill: SkillManifest) -> bool:
    found = connection.execute(_REGISTERED, {"a": skill.name, "b": skill.version}).one_or_none()
    return found is not None and found.digest == skill.digest


def _begins(before: Standing, now: Health) -> bool:
    return now.condition == "quarantined" and now.strikes != before.health.strikes


def _tell(connection: Connection, before: Standing, now: Health, run_id: str, at: float) -> None:
    kind: EventKind
    if _begins(before, now):
        kind, detail = "quarantined", {"why": now.why, "until": now.until, "run": run_id}
    elif before.health.condition == "quarantined" != now.condition:
        kind, detail = "released", {"why": "its trial run went well", "run": run_id}
    else:
        return
    detail["code"] = before.code_sha256
    put_event(connection, before.name, before.version, at=at, by=ITSELF, kind=kind, detail=detail)


def lift(connection: Connection, name: str, version: str, at: float) -> list[str]:
    """End the quarantine of every code under that name and version; their hashes."""
    query = select(SKILL_STANDINGS).where(_S.name == name, _S.version == version, _S.condition == "quarantined")
    lifted = []
    for row in connection.execute(query).all():
        key = {"a": name, "b": version, "c": row.code_sha256}
        _put_health(connection, key, states.released(Health.from_json(json.loads(row.health))))
        lifted.append(row.code_sha256)
    return lifted


def put_event(
    connection: Connection, name: str, version: str, *, at: float, by: str, kind: EventKind, detail: dict[str, Any]
) -> None:
    values = {"name": name, "version": version, "at": at, "by": by, "kind": kind, "detail": json.dumps(detail)}
    connection.execute(SKILL_EVENTS.insert().values(values))


def standing_of(row: Row[Any]) -> Standing:
    return Standing(row.name, row.version, row.code_sha256, _health_in(row.health), _statistics_in(row.statistics))


@functools.lru_cache(maxsize=64)  # most skills' health stays as it is from run to run
def _health_in(text: str) -> Health:
    return Health.from_json(json.loads(text))


def _statistics_in(text: str) -> Statistics:
    return Statistics.from_json(json.loads(text))


def _key(skill: SkillManifest) -> dict[str, Any]:
    return {"a": skill.name, "b": skill.version, "c": skill.code_digest}


def _text(value: Health | Statistics) -> str:
    return json.dumps(value.to_json(), separators=(",", ":"))


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
