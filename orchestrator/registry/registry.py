"""``Registry``: names and versions that mean one skill for ever, and how each skill's runs went.

    registry.admit(skill, run_id)            before the policy's decision: None, or why it does not run
    registry.record_of(skill, result)        what to do in the transaction that records the outcome
    registry.resolve("name@1.2")             the manifest that was registered

Thread-safe, and safe from several processes: every change is one writing transaction of the ``Database``. What people
change goes through ``keep``, which may put it on record in that transaction.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from orchestrator import forks
from orchestrator.errors import ManifestError, RegistryError
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.manifest.document import manifest_document
from orchestrator.manifest.sources import SUFFIXES
from orchestrator.records import Database, RecordsError
from orchestrator.records.deeds import Deed, Keep, without_account
from orchestrator.records.tables import SKILL_EVENTS, SKILL_MANIFESTS, SKILL_STANDINGS, SKILLS
from orchestrator.registry import standings
from orchestrator.registry.health import may_try
from orchestrator.registry.model import Counts, EventKind, KnownSkill, RegisteredSkill, SkillEvent, Standing
from orchestrator.registry.versions import Reference, newest, parse_reference, parse_version
from orchestrator.results.model import RunResult, Status
from orchestrator.strictjson import dumps_canonical
from orchestrator.text import one_line
from orchestrator.upkeep import Rest, go_on
from orchestrator.validation.finding import Finding
from orchestrator.validation.recent import Recent

MAX_TAGS: Final = 32
_TAG_CHARACTERS: Final = 64
_TEXT_CHARACTERS: Final = 200  # an owner, a reason, who did it
_KEPT: Final = 64  # manifests that were read lately, so that running by name costs no parsing
_BELIEVED_SECONDS: Final = 1.0
"""That nothing stands before a skill is believed for so long, as policies are: another process's word counts then."""

_AT_ONCE: Final = 500  # events in one transaction: others want to write too
_REST_SECONDS: Final = 0.05  # between two, for whoever waits for the lock
_NEAR_NAMES: Final = 2000  # looked at for a name like the one that is unknown
ANONYMOUS: Final = ("code", "0.0.0")  # what ``load_code`` calls Python code without a manifest


def reference_in(source: object) -> Reference | None:
    """The registered skill that the caller of ``run`` names; None: it is a manifest, or a path to one.

    A file that exists is meant as that file, and so is what ends like a skill's file; a ``Path`` always is.
    """
    if not isinstance(source, str) or Path(source).suffix in SUFFIXES:
        return None
    reference = parse_reference(source)
    return None if reference is None or Path(source).is_file() else reference


class Registry:
    def __init__(self, database: Database, *, now: Callable[[], float] = time.time, keep: Keep | None = None) -> None:
        """``keep``: carries out what people change, and keeps the account of it; None: nobody does."""
        self._database, self._now = database, now
        self._keep = keep or without_account(database)
        self._manifests: Recent[str, SkillManifest] = Recent(_KEPT)
        self._admitted: Recent[tuple[str, str, str, str], float] = Recent(_KEPT)  # when nothing stood before a skill
        forks.watch(self)

    def after_fork_in_child(self) -> None:
        self._manifests.after_fork_in_child()

    # --- around a run ----------------------------------------------------------------------------------------------

    def admit(self, skill: SkillManifest, run_id: str) -> Finding | None:
        """Why ``skill`` does not run (REG101 another is registered under its name and version, REG102 disabled, REG103
        quarantined), or None. None for a quarantined skill means that ``run_id`` is its trial: of all threads and
        processes one gets that. Whoever got it and runs nothing says so with ``give_back``."""
        at, key = self._now(), (skill.name, skill.version, skill.digest, skill.code_digest)
        if 0 <= at - (self._admitted.get(key) or -_BELIEVED_SECONDS) < _BELIEVED_SECONDS:
            return None
        with self._database.reading() as connection:
            found = standings.gate(connection, skill, at)
        if found == standings.Gate():
            self._admitted.put(key, at)
        if found.quarantine is None:
            return found.refusal
        with self._database.writing() as connection:
            return self.admit_in(connection, skill, run_id)

    def admit_in(self, connection: Connection, skill: SkillManifest, run_id: str) -> Finding | None:
        """``admit`` in a writing transaction that is under way."""
        at = self._now()
        found = standings.gate(connection, skill, at)
        if found.quarantine is not None:
            standings.take_trial(connection, skill, found.quarantine, run_id, at)
        return found.refusal

    def give_back(self, skill: SkillManifest, run_id: str) -> None:
        """No run came of it (no sandbox was to be had, say): another may have the trial, if it had it."""
        with self._database.reading() as connection:
            if standings.gate(connection, skill, self._now()) == standings.Gate():
                return
        with self._database.writing() as connection:
            self.give_back_in(connection, skill, run_id)

    def give_back_in(self, connection: Connection, skill: SkillManifest, run_id: str) -> None:
        """``give_back`` in a writing transaction that is under way."""
        standings.give_back(connection, skill, run_id)

    def record_of(
        self, skill: SkillManifest, result: RunResult, *, shortened: bool = False, counts: Counts = "both"
    ) -> Callable[[Connection], list[SkillEvent]]:
        """What to do in the transaction that records how a run ended, that of a denied one too; it says what followed
        from it for the skill (the beginning of its quarantine, say), mostly nothing. ``shortened``: a session or the
        caller gave it less time than its manifest asks for."""

        def record(connection: Connection) -> list[SkillEvent]:
            if result.status is not Status.SUCCEEDED:
                self._admitted.clear()
            return standings.record(connection, skill, result, self._now(), shortened=shortened, counts=counts)

        return record

    def record(self, skill: SkillManifest, result: RunResult, *, shortened: bool = False) -> None:
        """The same in a transaction of its own."""
        with self._database.writing() as connection:
            self.record_of(skill, result, shortened=shortened)(connection)

    # --- names and versions ----------------------------------------------------------------------------------------

    def resolve(self, reference: Reference | str) -> SkillManifest:
        """The registered skill that is meant. Disabled versions are passed over unless the version is written out, or
        there are no others: then ``admit`` says so. ``RegistryError`` names what is like an unknown name."""
        with self._database.reading() as connection:
            row = _meant(connection, _reference(reference))
            kept = self._manifests.get(row.digest)
            content = None if kept is not None else _content(connection, row.digest)
        if kept is not None:
            return kept
        skill = self._skill(row, content)
        self._manifests.put(row.digest, skill)
        return skill

    def _skill(self, row: RegisteredSkill, content: bytes | None) -> SkillManifest:
        if content is None or hashlib.sha256(content).hexdigest() != row.digest:
            raise RecordsError(f"the manifest of {row} in {self._database.name} is damaged", hint="restore a backup")
        try:
            skill = load_manifest(content)
        except ManifestError as error:
            raise RegistryError(
                f"{row} is not valid in this release: {error}", hint="register a new version"
            ) from error
        if (skill.name, skill.version, skill.digest) != (row.name, row.version, row.digest):
            raise RecordsError(f"{row} is not what was registered under this name", hint="restore a backup")
        return skill

    def get(self, reference: Reference | str) -> RegisteredSkill:
        """Raises ``RegistryError``."""
        with self._database.reading() as connection:
            return _meant(connection, _reference(reference))

    def register(
        self, skill: SkillManifest, *, owner: str = "", tags: Sequence[str] = (), by: str = ""
    ) -> RegisteredSkill:
        """From now on its name and version mean this manifest. The same again changes nothing, not even owner and tags.

        ``RegistryError``: they mean another one already, or it has no name of its own. ``ManifestError``: it was put
        together by hand, or changed, so that it is not what its digests say.
        """
        content = dumps_canonical(manifest_document(skill))
        if hashlib.sha256(content).hexdigest() != skill.digest:
            raise ManifestError("the skill is not the one its digest names", hint="make skills with load_manifest")
        if (skill.name, skill.version) == ANONYMOUS:
            raise RegistryError("code without a manifest has no name", hint="write a manifest with name and version")
        row = RegisteredSkill(
            skill.name,
            skill.version,
            skill.digest,
            skill.code_digest,
            _plain(owner),
            _tags(tags),
            self._now(),
            _plain(by),
        )
        self._admitted.clear()
        known: RegisteredSkill | None = None

        def change(connection: Connection) -> list[Deed]:
            nonlocal known
            known = _find(connection, skill.name, skill.version)
            return [_add(connection, row, content).deed()] if known is None else []

        self._keep(change)
        if known is None:
            return row
        if known.digest != skill.digest:
            message = f"[REG101] {known} is registered as another skill (digest {known.digest[:12]})"
            raise RegistryError(message, hint="a name and version mean one manifest for ever: take a new version")
        return known

    def change(
        self, reference: Reference | str, *, owner: str | None = None, tags: Sequence[str] | None = None, by: str = ""
    ) -> RegisteredSkill:
        """Another owner, other tags; None leaves them. The version must be written out. Raises ``RegistryError``."""
        wanted: dict[str, Any] = {} if owner is None else {"owner": _plain(owner)}
        if tags is not None:
            wanted["tags"] = _tags(tags)

        def change(connection: Connection, row: RegisteredSkill) -> tuple[EventKind, dict[str, Any]] | None:
            changed = {name: value for name, value in wanted.items() if getattr(row, name) != value}
            if not changed:
                return None
            former = {name: getattr(row, name) for name in changed}
            stored = {name: json.dumps(value) if name == "tags" else value for name, value in changed.items()}
            _set(connection, row, stored)
            return "changed", {"from": former, "to": changed}

        return self._changed(_reference(reference), change, by)

    def disable(self, reference: Reference | str, *, reason: str = "", by: str = "") -> RegisteredSkill:
        """Take a version out of use: REG102 from the next run on. It must be written out. Raises ``RegistryError``."""

        def disable(connection: Connection, row: RegisteredSkill) -> tuple[EventKind, dict[str, Any]]:
            _set(connection, row, {"disabled": True, "reason": _plain(reason)})
            return "disabled", {"reason": _plain(reason)}

        return self._changed(_reference(reference), disable, by)

    def _changed(
        self,
        reference: Reference,
        change: Callable[[Connection, RegisteredSkill], tuple[EventKind, dict[str, Any]] | None],
        by: str,
    ) -> RegisteredSkill:
        """The registered skill after ``change``, which says what it did, or None for nothing."""
        self._admitted.clear()
        found: list[RegisteredSkill] = []

        def carry_out(connection: Connection) -> list[Deed]:
            row = _exact(connection, reference)
            done = change(connection, row)
            found[:] = [_exact(connection, reference)]
            if done is None:
                return []
            event = SkillEvent(row.name, row.version, self._now(), _plain(by), *done)
            standings.put_event(connection, event)
            return [event.deed(row.digest)]

        self._keep(carry_out)
        return found[0]

    def enable(self, reference: Reference | str, *, by: str = "") -> None:
        """Let it run again: it is not disabled any more, and its quarantine is over, for every code that ran under this
        name and version, registered or not. ``RegistryError``: it is neither registered nor known from runs."""
        wanted, at = _written_out(_reference(reference)), self._now()
        self._admitted.clear()

        def enable(connection: Connection) -> list[Deed]:
            row = _find(connection, wanted.name, wanted.version)
            lifted = standings.lift(connection, wanted.name, wanted.version, at)
            if row is not None:
                _set(connection, row, {"disabled": False, "reason": ""})
            elif not lifted:
                raise _unknown(connection, wanted)
            detail = {"lifted": lifted, "was_disabled": row is not None and row.disabled}
            event = SkillEvent(wanted.name, wanted.version, at, _plain(by), "enabled", detail)
            standings.put_event(connection, event)
            return [event.deed("" if row is None else row.digest)]

        self._keep(enable)

    def prune(self, *, keep_days: float, rest: Rest = go_on) -> int:
        """Forget events that followed from runs, are older than that or too many for one skill; how many. What people
        did stays. ``rest`` is called between two transactions with the seconds to wait; True: the next call does what
        is left."""
        with self._database.reading() as connection:
            stale = standings.stale_events(connection, self._now() - keep_days * 86_400.0)
        for start in range(0, len(stale), _AT_ONCE):
            if start and rest(_REST_SECONDS):
                return start
            with self._database.writing() as connection:
                standings.forget_events(connection, stale[start : start + _AT_ONCE])
        return len(stale)

    # --- to look at ------------------------------------------------------------------------------------------------

    def known(self, name: str | None = None, *, tag: str | None = None) -> list[KnownSkill]:
        """Every skill that is registered or ran, by name, newest version first. A version under which several codes ran
        is there once for each."""
        skills, rows = select(SKILLS), select(SKILL_STANDINGS)
        if name is not None:
            skills, rows = skills.where(SKILLS.c.name == name), rows.where(SKILL_STANDINGS.c.name == name)
        with self._database.reading() as connection:
            registered = [_registered(row) for row in connection.execute(skills)]
            seen = [standings.standing_of(row) for row in connection.execute(rows)]
        by_code = {(each.name, each.version, each.code_sha256): each for each in registered}
        ran = {(each.name, each.version, each.code_sha256) for each in seen}
        found = [KnownSkill(each, by_code.get((each.name, each.version, each.code_sha256))) for each in seen]
        found += [
            KnownSkill(Standing(each.name, each.version, each.code_sha256), each)
            for key, each in by_code.items()
            if key not in ran
        ]
        if tag is not None:
            found = [each for each in found if each.registered is not None and tag in each.registered.tags]
        found.sort(key=lambda each: parse_version(each.standing.version), reverse=True)
        return sorted(found, key=lambda each: each.standing.name)

    def history(self, name: str, version: str | None = None, *, limit: int = 100) -> list[SkillEvent]:
        """What happened to a skill, newest first."""
        query = select(SKILL_EVENTS).where(SKILL_EVENTS.c.name == name)
        if version is not None:
            query = query.where(SKILL_EVENTS.c.version == version)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(SKILL_EVENTS.c.id.desc()).limit(limit)).all()
        return [SkillEvent(row.name, row.version, row.at, row.by, row.kind, json.loads(row.detail)) for row in rows]

    def may_try(self, standing: Standing) -> bool:
        """Whether the next run of a quarantined skill would be its trial."""
        return standing.health.condition == "quarantined" and may_try(standing.health, self._now())


# --- rows ----------------------------------------------------------------------------------------------------------


def _reference(reference: Reference | str) -> Reference:
    if isinstance(reference, Reference):
        return reference
    found = parse_reference(reference)
    if found is None:
        raise RegistryError(f"{one_line(reference, 80)!r} is no name of a skill", hint="it is like NAME or NAME@1.2.3")
    return found


def _written_out(reference: Reference) -> Reference:
    if not reference.is_exact:
        message = f"{reference} does not say which version"
        raise RegistryError(message, hint="write the version out, like NAME@1.2.3")
    return reference


def _exact(connection: Connection, reference: Reference) -> RegisteredSkill:
    wanted = _written_out(reference)
    row = _find(connection, wanted.name, wanted.version)
    if row is None:
        raise _unknown(connection, wanted)
    return row


def _find(connection: Connection, name: str, version: str) -> RegisteredSkill | None:
    query = select(SKILLS).where(SKILLS.c.name == name, SKILLS.c.version == version)
    row = connection.execute(query).one_or_none()
    return None if row is None else _registered(row)


def _meant(connection: Connection, reference: Reference) -> RegisteredSkill:
    rows = [_registered(row) for row in connection.execute(select(SKILLS).where(SKILLS.c.name == reference.name))]
    for candidates in ([row for row in rows if reference.is_exact or not row.disabled], rows):
        by_version = {parse_version(row.version): row for row in candidates}
        if (found := newest(reference, by_version)) is not None:
            return by_version[found]
    raise _unknown(connection, reference)


def _unknown(connection: Connection, reference: Reference) -> RegistryError:
    versions = [
        parse_version(each)
        for each in connection.scalars(select(SKILLS.c.version).where(SKILLS.c.name == reference.name))
    ]
    if versions:
        there = ", ".join(version.text for version in sorted(versions, reverse=True)[:10])
        return RegistryError(f"no skill {reference} is registered", hint=f"there is {reference.name}@ {there}")
    names = connection.scalars(select(SKILLS.c.name).distinct().limit(_NEAR_NAMES)).all()
    near = difflib.get_close_matches(reference.name, names, n=3)
    hint = f"there is {' and '.join(near)}" if near else ""
    return RegistryError(f"no skill {reference.name} is registered, and there is no file of that name", hint=hint)


def _registered(row: Row[Any]) -> RegisteredSkill:
    return RegisteredSkill(**row._asdict() | {"tags": tuple(json.loads(row.tags))})


def _content(connection: Connection, digest: str) -> bytes | None:
    return connection.scalar(select(SKILL_MANIFESTS.c.content).where(SKILL_MANIFESTS.c.sha256 == digest))


def _add(connection: Connection, row: RegisteredSkill, content: bytes) -> SkillEvent:
    if _content(connection, row.digest) is None:
        connection.execute(SKILL_MANIFESTS.insert().values(sha256=row.digest, content=content))
    values = {column.name: getattr(row, column.name) for column in SKILLS.c} | {"tags": json.dumps(row.tags)}
    connection.execute(SKILLS.insert().values(values))
    detail = {"digest": row.digest, "code": row.code_sha256, "owner": row.owner, "tags": row.tags}
    event = SkillEvent(row.name, row.version, row.registered_at, row.registered_by, "registered", detail)
    standings.put_event(connection, event)
    return event


def _set(connection: Connection, row: RegisteredSkill, values: dict[str, Any]) -> None:
    connection.execute(SKILLS.update().where(SKILLS.c.name == row.name, SKILLS.c.version == row.version).values(values))


def _plain(text: str) -> str:
    return one_line(text, _TEXT_CHARACTERS)


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Sorted, each once. ``RegistryError``: too many, or one that is empty, long, or not of printable characters."""
    wanted = tuple(sorted(set(tags)))
    for tag in wanted:
        if not tag or tag != one_line(tag, _TAG_CHARACTERS) or "," in tag or tag.strip() != tag:
            raise RegistryError(f"{one_line(tag, 80)!r} is no tag", hint="a word of at most 64 characters, no comma")
    if len(wanted) > MAX_TAGS:
        raise RegistryError(f"{len(wanted)} tags are too many", hint=f"at most {MAX_TAGS}")
    return wanted
