"""``History``: what runs changed in a vault, kept so that it can be shown, landed later, and undone.

Facts go to the records, content to the objects. Each change set is one record; what was replaced or deleted is kept
under its hash. Commits tell it through ``keep``, which also runs when a crash is recovered from, so all that it needs
is in the journal.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from loguru import logger

from orchestrator.errors import VaultError
from orchestrator.records import Records, SetState, StoredChange, StoredSet
from orchestrator.records.deeds import Deed
from orchestrator.upkeep import Rest, go_on
from orchestrator.vault import commit as committing
from orchestrator.vault.changes import Attributes, Change, ChangeSet, Entry, plain
from orchestrator.vault.contents import hashed_at, read_at
from orchestrator.vault.descriptors import lstat, open_file, opened
from orchestrator.vault.diff import MAX_BYTES, unified
from orchestrator.vault.finishing import Finisher
from orchestrator.vault.journal import Journal
from orchestrator.vault.names import shown
from orchestrator.vault.objects import Objects
from orchestrator.vault.reach import Reach
from orchestrator.vault.recovery import recover
from orchestrator.vault.restage import Wanted, landing, restaged, root_reach, undoing
from orchestrator.vault.root import Vault
from orchestrator.vault.rules import ChangesRefused
from orchestrator.vault.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

_DIFFS = 200  # files of one set whose diff is shown


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Who changed something. ``skill`` is "name@version"; hashes are hex. ``undoes``: the run that this one rolls
    back; ``review``, ``digest`` and ``by``: the review that let it land, the change set that it was about, and who
    decided it."""

    run_id: str
    skill: str
    code_sha256: str = ""
    manifest_digest: str = ""
    level: str = ""
    undoes: str = ""
    review: str = ""
    by: str = ""
    digest: str = ""


def _nobody(_deed: Deed) -> None:
    pass


class History:
    """Of one vault. Thread-safe as far as ``records`` and ``objects`` are."""

    def __init__(self, vault: Vault, records: Records, objects: Objects, *, instance: str) -> None:
        """``instance`` names the staging directories that are made here."""
        self.vault, self.records, self.objects = vault, records, objects
        self._instance = instance
        self._finisher = Finisher(partial(recover, vault, self.keep))
        self.tell: Callable[[Deed], None] = _nobody  # called once it is done; what it raises goes through

    @property
    def instance(self) -> str:
        """What names the staging directories of this process."""
        return self._instance

    # --- landing ---------------------------------------------------------------------------------------------------

    def commit(self, changes: ChangeSet, facts: RunFacts) -> tuple[Change, ...]:
        """``commit.commit``, remembered."""
        self._finisher.require_finished()
        landed = committing.commit(self.vault, changes, facts=_told(changes, facts), keep=self.keep)
        self.tell(_deed(facts, len(landed)))
        return landed

    def land(self, changes: ChangeSet, facts: RunFacts) -> tuple[Change, ...]:
        """``commit`` for what a run has just left, which nobody has held: returns once no crash can take it back. The
        rest is done behind the answer; whoever asks this object what was changed waits for it."""
        self._finisher.require_finished()
        keep = partial(self.keep, known=False)
        begun = committing.begin(self.vault, changes, facts=_told(changes, facts), keep=keep)
        if begun is not None:
            self._finisher.add(begun)
        return changes.changes

    def finished(self) -> None:
        """Wait for what ``land`` left to do. Raises ``VaultError`` when it cannot be done."""
        self._finisher.wait()

    def close(self) -> None:
        self._finisher.close()

    def keep(self, record: Journal, staging: int, *, known: bool = True) -> None:
        """Record a transaction whose steps are taken, and keep what it replaced. The same one twice is one; ``known``
        False: it is certain that this is the first time, and nothing was held. One without facts is no run's."""
        if not record.facts:
            return
        facts = RunFacts(**record.facts["run"])
        before = {step.path: step for step in record.steps if step.action in ("replace", "remove", "rmdir")}
        kept: list[tuple[str, str]] = []
        changes = []
        for each in record.facts["changes"]:
            change = StoredChange(**each)
            step = before.get(change.path)
            if step is not None and change.kind in ("modified", "deleted"):
                digest = ""
                if step.action != "rmdir" and lstat(step.staged, staging) is not None:
                    digest = hashed_at((staging, step.staged.encode()))[0]
                    kept.append((step.staged, digest))
                change = _with_before(change, digest, step.was)
            changes.append(change)
        self._record(facts, tuple(changes), known=known)
        for name, digest in kept:
            self._adopt(name, digest, staging)

    def _record(self, facts: RunFacts, changes: tuple[StoredChange, ...], *, known: bool) -> None:
        former = self.records.set_of(facts.run_id) if known else None
        if former is None:
            self.records.add_set(self.stored(facts, changes, "committed"))
        elif former.state == "held" and not facts.review:
            self.records.mark_set(facts.run_id, "committed")
        elif former.state == "held" and not self.records.decide(
            facts.review, "approved", by=facts.by, at=time.time(), digest=facts.digest, set_state="committed"
        ):
            message = f"review {shown(facts.review)} was decided or edited meanwhile"
            raise VaultError(message, hint="look at it once more")
        if facts.undoes:
            self.records.mark_set(facts.undoes, "rolled_back")

    def _adopt(self, name: str, digest: str, staging: int) -> None:
        try:
            self.objects.adopt((staging, name.encode()), digest)
        except (OSError, ValueError) as error:  # it has landed and is recorded; only undoing it will not be possible
            logger.error("what was there before could not be kept, so it cannot be rolled back: {}", error)

    def stored(self, facts: RunFacts, changes: tuple[StoredChange, ...], state: SetState, note: str = "") -> StoredSet:
        """The record of a change set as it would be stored now."""
        return StoredSet(
            run_id=facts.run_id,
            skill=facts.skill,
            code_sha256=facts.code_sha256,
            manifest_digest=facts.manifest_digest,
            level=facts.level,
            vault=str(self.vault.root),
            state=state,
            digest=digest_of(changes),
            created_at=time.time(),
            note=note,
            undoes=facts.undoes,
            changes=changes,
        )

    # --- holding ---------------------------------------------------------------------------------------------------

    def hold(self, changes: ChangeSet, facts: RunFacts, note: str) -> StoredSet:
        """Keep a change set that does not land now. What it is compared with later is what the vault holds now."""
        if changes.staging is None:
            raise ValueError("this change set was discarded")
        with self._reach() as reach:
            kept = tuple(self._held(entry, reach, changes.staging.descriptor) for entry in changes.entries)
        stored = self.stored(facts, kept, "held", note)
        self.records.add_set(stored)
        return stored

    def _held(self, entry: Entry, reach: Reach, staging: int) -> StoredChange:
        change = StoredChange(**plain(entry.change))
        if entry.staged:
            with opened(open_file(entry.staged, staging)) as content:
                self.objects.add(content)
        if change.kind == "created":
            return change
        try:
            with reach.parent(change.path) as place:
                if change.directory:
                    return change
                digest, _, attributes = hashed_at(place)
                return _with_before(change, digest, attributes)
        except (ChangesRefused, OSError):  # gone meanwhile: an approval will find that
            return change

    def sets(self, path: str | None = None, *, limit: int = 100) -> list[StoredSet]:
        """What runs changed in this vault, or at and below ``path``, newest first."""
        self.finished()
        return self.records.sets(vault=str(self.vault.root), path=path, limit=limit)

    # --- showing ---------------------------------------------------------------------------------------------------

    def diff_of(self, stored: StoredSet) -> str:
        """Unified diffs of a stored set, escaped: what is (or was) there against what the run wrote."""
        held, moved = stored.state == "held", {each.moved_from for each in stored.changes}
        texts = [self._diff(each, held) for each in stored.changes[:_DIFFS] if _has_text(each, moved)]
        return _joined(texts, len(stored.changes))

    def _diff(self, each: StoredChange, held: bool) -> str:
        after = self._content(each.sha256) if each.kind != "deleted" else None
        if held:
            with self._reach() as reach:
                before = _current(reach, each.moved_from or each.path)
        else:
            before = self._content(each.before_sha256)
        if after is None and each.kind != "deleted" and not held:
            with self._reach() as reach:
                after = _current(reach, each.path)
        return unified(each.path, before, after, moved_from=each.moved_from)

    def _content(self, digest: str) -> bytes | None:
        return self.objects.read(digest, MAX_BYTES + 1) if digest else None

    def diff(self, changes: ChangeSet) -> str:
        """The same for a change set that is still staged."""
        if changes.staging is None:
            return ""
        staging, texts = changes.staging.descriptor, []
        moved = {entry.change.moved_from for entry in changes.entries}
        with self._reach() as reach:
            for entry in changes.entries[:_DIFFS]:
                if _has_text(entry.change, moved):
                    after = read_at((staging, entry.staged.encode()), MAX_BYTES + 1) if entry.staged else None
                    before = _current(reach, entry.change.moved_from or entry.change.path)
                    texts.append(unified(entry.change.path, before, after, moved_from=entry.change.moved_from))
        return _joined(texts, len(changes.entries))

    # --- landing later, and undoing --------------------------------------------------------------------------------

    @contextmanager
    def to_land(self, stored: StoredSet) -> Iterator[ChangeSet]:
        """A held set, ready for ``commit`` if it has no conflicts. Discarded at the end."""
        with self.staged(landing(stored.changes)) as changes:
            yield changes

    def roll_back(self, run_id: str) -> StoredSet:
        """Put back exactly what a run changed; the record of that. Raises ``ChangesRefused`` naming each file that
        changed since, and ``VaultError`` when there is nothing to roll back, or its content is not kept any more."""
        self.finished()
        stored = self.records.set_of(run_id)
        if stored is None or stored.vault != str(self.vault.root):
            raise VaultError(f"no run {shown(run_id)} changed this vault", hint="`orchestrator history` lists them")
        if stored.state != "committed":
            raise VaultError(
                f"the changes of run {shown(run_id)} are {stored.state}", hint="only what landed is undone"
            )
        facts = RunFacts("rollback-" + secrets.token_hex(8), stored.skill, level=stored.level, undoes=run_id)
        with self.staged(undoing(stored.changes)) as changes:
            self.commit(changes, facts)
            if not changes.entries:  # all of it were directories that hold other notes now
                self.records.mark_set(run_id, "rolled_back")
        return self.records.set_of(facts.run_id) or self.stored(facts, (), "committed")

    @contextmanager
    def staged(self, wanted: Sequence[Wanted]) -> Iterator[ChangeSet]:
        """What is wanted of the vault, ready for ``commit`` if it has no conflicts. Discarded at the end."""
        staging = Staging(self.vault.staging_area, self._instance)
        try:
            with self._reach() as reach:
                changes = restaged(wanted, reach, staging, self.objects)
        except BaseException:
            staging.discard()
            raise
        with changes:
            yield changes

    @contextmanager
    def _reach(self) -> Iterator[Reach]:
        with opened(self.vault.open()) as root:
            yield root_reach(root)

    # --- bounds ----------------------------------------------------------------------------------------------------

    def prune_is_due(self) -> bool:
        """Once a day for this vault, whoever asks: it reads all of what is kept."""
        vault = hashlib.sha256(os.fsencode(self.vault.root)).hexdigest()[:32]
        return self.records.due(f"pruned/{vault}", at=time.time(), every_seconds=86400)

    def prune(self, *, keep_days: float, keep_bytes: int, rest: Rest = go_on) -> int:
        """Forget change sets and decided reviews older than ``keep_days``, then the oldest sets until at most
        ``keep_bytes`` are kept. What is held or waits stays. How many bytes went. ``rest``: see ``forget_older``."""
        self.finished()
        self.records.forget_older(time.time() - keep_days * 86400, rest=rest)
        freed = self.objects.prune(self.records.referenced())
        while self.objects.size_bytes() > keep_bytes and (oldest := self.records.prunable(time.time())[:10]):
            for stored in oldest:
                self.records.forget_set(stored.run_id)
            freed += self.objects.prune(self.records.referenced())
        return freed


def _deed(facts: RunFacts, changed: int) -> Deed:
    if facts.review:
        told = {"review": facts.review, "digest": facts.digest, "changes": changed}
        return Deed("review.approved", facts.run_id, facts.skill, facts.by, told)
    if facts.undoes:
        told = {"by_run": facts.run_id, "changes": changed}
        return Deed("vault.rolled_back", facts.undoes, facts.skill, facts.by, told)
    return Deed("vault.restored", facts.run_id, facts.skill, facts.by, {"changes": changed})


def _told(changes: ChangeSet, facts: RunFacts) -> dict[str, Any]:
    """What the journal carries for ``keep``."""
    return {"run": plain(facts), "changes": [plain(entry.change) for entry in changes.entries]}


def digest_of(changes: Iterable[StoredChange]) -> str:
    """Hex SHA-256 of what a set does and to what: an approval is bound to it. Attributes are not part of it."""
    rows = [[c.kind, c.path, c.moved_from, c.directory, c.size, c.sha256, c.before_sha256] for c in changes]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=True).encode()).hexdigest()


def _with_before(change: StoredChange, digest: str, was: Attributes | None) -> StoredChange:
    if was is None:
        return replace(change, before_sha256=digest)
    return replace(
        change,
        before_sha256=digest,
        before_mode=was.mode,
        before_uid=was.uid,
        before_gid=was.gid,
        before_mtime_ns=was.mtime_ns,
    )


def _current(reach: Reach, path: str) -> bytes | None:
    try:
        with reach.parent(path) as place:
            return read_at(place, MAX_BYTES + 1)
    except (ChangesRefused, OSError):
        return None


def _has_text(change: Change | StoredChange, moved: Container[str]) -> bool:
    """Whether a diff shows it: no directory, and nothing that is shown where it was moved to."""
    return not change.directory and (change.kind != "deleted" or change.path not in moved)


def _joined(texts: Sequence[str], changes: int) -> str:
    more = f"\n({changes - _DIFFS} more changes are not shown)\n" if changes > _DIFFS else ""
    return "".join(text if text.endswith("\n") else text + "\n" for text in texts) + more


def objects_of(vault: Vault) -> Objects:
    """Where a vault's kept content lies: on its own file system, so that what is replaced is kept by a rename."""
    os.makedirs(vault.staging_area.parent, mode=0o700, exist_ok=True)  # noqa: PTH103 - the mode of all of them
    return Objects(vault.staging_area.parent / "objects")
