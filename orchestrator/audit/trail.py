"""``AuditTrail``: what is about to happen, and what came of it, durable before the caller goes on.

Each call returns when its record is committed: it survives ``kill -9`` of this process. Threads that call at the same
time share a transaction: the first of them writes for all that wait, and nobody changes threads. The order of records
is the order of transactions, over all threads and processes of one database: the end of the chain is read inside the
transaction, never remembered.

That it survives a power cut too, and its line in the anchor file, follow in a thread (``behind``, ``ending``) while the
run goes on. What must not happen before waits for it: ``settled``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import Connection

from orchestrator import forks
from orchestrator.audit import key as keys
from orchestrator.audit import records
from orchestrator.audit.anchors import NAME as ANCHORS
from orchestrator.audit.anchors import AnchorFile, Outside
from orchestrator.audit.behind import Behind
from orchestrator.audit.ending import Ending
from orchestrator.audit.ledger import Addition, head_of, records_in
from orchestrator.audit.records import Asked, Draft, Kept
from orchestrator.audit.sanitised import Sanitiser
from orchestrator.manifest import SkillManifest
from orchestrator.outputs.known import known_values
from orchestrator.outputs.secrets import Detector
from orchestrator.policy.decision import Decision
from orchestrator.records import Database, RecordsError
from orchestrator.results.model import RunResult
from orchestrator.settings import Settings
from orchestrator.validation.recent import Recent
from orchestrator.vault.history import Deed

_KEPT_BYTES: Final = 16 * 2**20  # of blobs that need not be looked through for secrets again
Also = Callable[[Connection], None]


@dataclass(slots=True)
class _Ticket:
    """A record that waits to be written, and what became of it."""

    draft: Draft
    also: Also | None = None
    seq: int = 0
    done: bool = False
    error: Exception | None = None


@dataclass(slots=True)
class _Queue:
    """Whoever holds ``leading`` writes what waits; ``lock`` is only for the list."""

    leading: threading.Lock = field(default_factory=threading.Lock)
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: list[_Ticket] = field(default_factory=list)

    def take(self) -> list[_Ticket]:
        with self.lock:
            batch, self.waiting = self.waiting, []
            return batch


class AuditTrail:
    """Thread-safe; several processes may write to one database. Close it before the database.

    Everything raises ``RecordsError`` when the trail cannot be written; then the record is not there.
    """

    def __init__(
        self,
        database: Database,
        state_dir: Path,
        *,
        detector: Detector | None = None,
        anchor_file: Path | None = None,
        outside: Outside | None = None,
        instance: str = "",
        on_fault: Callable[[str], None] = lambda fault: None,
    ) -> None:
        """``state_dir`` holds the keys, and the anchors unless ``anchor_file`` is elsewhere. ``detector``: finds
        the secrets that no record may hold. ``instance``: this orchestrator's claim, by which a run that goes on is
        told from an interrupted one. ``on_fault`` hears when the end of the trail could not be noted; it must not
        raise.

        ``RecordsError``: the database has a trail whose key is not here, or a file is not ours alone.
        """
        self.database = database
        self.anchors = AnchorFile(anchor_file or state_dir / ANCHORS)
        self._keys_at = state_dir / keys.NAME
        self._detector = detector or Detector()
        self._instance = instance
        self._on_fault = on_fault
        self._queue = _Queue()
        self._blobs: Recent[object, Kept] = Recent(_KEPT_BYTES)
        self.rules = records.ruleset_blob()
        self._closed = False
        self._keys = self._opened_keys()
        self._ending = Ending(self.anchors, outside or Outside(), lambda: self._keys, on_fault)
        self._behind = Behind(self.database.sync, self._ending.note, self._on_fault)
        forks.watch(self)
        with database.reading() as connection:
            found = head_of(connection)
        key = self._keys.newest if found is None else self._keys.need(found[0].key_id)
        self.texts = Sanitiser(self._detector, key.content)
        if found is not None:
            database.sync()  # what a killed process could not do any more
            self._ending.note(found[0], sync=True)
            self._ending.require()

    @classmethod
    def of(
        cls,
        database: Database,
        settings: Settings,
        *,
        instance: str = "",
        on_fault: Callable[[str], None] = lambda fault: None,
    ) -> Self:
        """As ``settings`` have it."""
        return cls(
            database,
            settings.state_dir,
            detector=Detector(known_values(settings)),
            anchor_file=settings.audit_anchor_file,
            outside=Outside(settings.audit_anchor_command, to_syslog=settings.audit_anchor_syslog),
            instance=instance,
            on_fault=on_fault,
        )

    def _opened_keys(self) -> keys.Keyring:
        """A key is only made for a trail that has no record yet: a lost one is not replaced in silence."""
        if not keys.exists(self._keys_at):
            with self.database.reading() as connection:
                if head_of(connection) is not None or records_in(connection):
                    return keys.load(self._keys_at)  # says that it is missing
        return keys.make(self._keys_at)

    # --- records ---------------------------------------------------------------------------------------------------

    def intent(
        self,
        run_id: str,
        skill: SkillManifest,
        inputs: Mapping[str, Any],
        decision: Decision,
        *,
        principal: str,
        session: str = "",
        image_id: str,
    ) -> int:
        """A run is about to start, or was denied. Nothing may start unless this returns; its number in the trail.
        Nothing that outlives the run may happen before ``settled`` with that number.

        ``inputs``: with the defaults, as the skill gets them. ``principal``: who asked, by the caller's word.
        """
        self._behind.require_sound()
        self._ending.require()
        asked = Asked(principal, session, image_id, self._instance)
        kept = self._kept(skill)
        return self.append(records.intent(run_id, skill, inputs, decision, asked=asked, kept=kept, texts=self.texts))

    def outcome(self, result: RunResult, *, also: Also | None = None) -> int:
        """What a run came to. ``also`` writes to other tables in the same transaction: all of it is stored, or nothing.
        It may be called again after a failure, and must do nothing but use the connection.

        ``RecordsError`` comes after the run: its result stands, its changes have landed, and the trail shows it as
        interrupted.
        """
        return self.append(records.outcome(result, self.texts), also=also)

    def raised(self, run_id: str, skill: str, error: BaseException) -> int:
        """A run that ended in an exception instead of a result. ``skill``: name@version."""
        return self.append(records.raised(run_id, skill, error, self.texts))

    def event(
        self,
        action: str,
        *,
        principal: str = "",
        session: str = "",
        run_id: str = "",
        skill: str = "",
        facts: Mapping[str, Any] | None = None,
        also: Also | None = None,
    ) -> int:
        """Something else that should be known later: a review decided, a run rolled back, policies accepted. ``action``
        is a dotted name like "review.approved"; ``facts`` are JSON values, treated like a run's inputs."""
        draft = records.event(
            action, self.texts, principal=principal, session=session, run_id=run_id, skill=skill, facts=facts or {}
        )
        number = self.append(draft, also=also)
        self.settled(number)
        return number

    def deed(self, deed: Deed) -> None:
        """What a person did to the vault or the queue."""
        self.event(deed.action, principal=deed.by, run_id=deed.run_id, skill=deed.skill, facts=deed.facts)

    def rotate(self) -> str:
        """Make a new key, and seal with it from now on; its id. Former keys stay in the file, to verify by."""
        self._keys = keys.add(self._keys_at)
        new = self._keys.newest
        with self._queue.leading, self.database.writing() as connection:
            addition = self._addition(connection)
            addition.add(records.rotation(new.id), then_key=new.id)
            addition.write()
        self.texts = Sanitiser(self._detector, new.content)
        self._behind.put(addition.head)
        self.settled(addition.head.seq)
        self._ending.require()
        return new.id

    def settled(self, number: int) -> None:
        """Wait until record ``number``, one of this process, is on the disk. ``RecordsError``: it cannot be brought
        there; no further run starts then."""
        self._behind.wait(number)

    def _kept(self, skill: SkillManifest) -> Kept:
        """The skill's blobs. What a manifest says is its digest and what a caller may override."""
        limits = [getattr(skill.limits, each.name) for each in fields(skill.limits)]
        key = (skill.digest, skill.code_digest, skill.security_level, *((type(each), each) for each in limits))
        found = self._blobs.get(key)
        if found is None:
            code, manifest = records.code_blob(skill.code, self.texts), records.manifest_blob(skill, self.texts)
            found = Kept(code, manifest, self.rules)
            self._blobs.put(key, found, 1 + len(code.content) + len(manifest.content))
        return found

    # --- writing ---------------------------------------------------------------------------------------------------

    def append(self, draft: Draft, *, also: Also | None = None) -> int:
        """Write ``draft``, with whatever other threads want written meanwhile; its number."""
        if self._closed:
            raise RecordsError("the audit trail is closed")
        ticket, queue = _Ticket(draft, also), self._queue
        with queue.lock:
            queue.waiting.append(ticket)
        with queue.leading:
            if not ticket.done:
                self._lead(queue.take())
        if isinstance(ticket.error, RecordsError):  # several callers may get the same: each its own traceback
            raise RecordsError(ticket.error.message, hint=ticket.error.hint) from ticket.error
        if ticket.error is not None:
            raise ticket.error
        return ticket.seq

    def append_all(self, drafts: Sequence[Draft]) -> None:
        """Write all in one transaction, or none."""
        batch = [_Ticket(draft) for draft in drafts]
        with self._queue.leading:
            failed = self._commit(batch)
        if failed is not None:
            raise failed.cause

    def _lead(self, batch: list[_Ticket]) -> None:
        try:
            self._write(batch)
        except BaseException:  # Ctrl-C in this thread is no reason for the others to wait for ever
            unknown = RecordsError("the thread that wrote this was interrupted; whether it is stored is not known")
            self._settle([each for each in batch if not each.done], _Failed(unknown, committing=True))
            raise

    def _write(self, batch: list[_Ticket]) -> None:
        """All of ``batch`` in one transaction. Should one of them spoil it, each gets one of its own, unless the
        transaction may have been committed all the same."""
        error = self._commit(batch)
        if error is not None and len(batch) > 1 and not error.committing:
            for ticket in batch:
                self._settle([ticket], self._commit([ticket]))
        else:
            self._settle(batch, error)

    def _settle(self, batch: list[_Ticket], error: _Failed | None) -> None:
        for ticket in batch:
            ticket.error, ticket.done = None if error is None else error.cause, True

    def _commit(self, batch: list[_Ticket]) -> _Failed | None:
        committing = False
        try:
            with self.database.writing(synced=False) as connection:
                addition = self._addition(connection)
                for ticket in batch:
                    ticket.seq = addition.add(ticket.draft)
                addition.write()
                for ticket in batch:
                    if ticket.also is not None:
                        ticket.also(connection)
                committing = True
        except Exception as error:  # noqa: BLE001 - handed to every caller whose record it was
            return _Failed(error, committing)
        self._behind.put(addition.head)
        return None

    def _addition(self, connection: Connection) -> Addition:
        """Another process may have rotated the key."""
        found = head_of(connection)
        if found is not None and self._keys.get(found[0].key_id) is None:
            self._keys = keys.load(self._keys_at)
        return Addition.after(connection, self._keys, found)

    # --- the end ---------------------------------------------------------------------------------------------------

    def tell_outside(self) -> None:
        """Tell the command and syslog where the chain ends, unless they know: they hear of records once a minute at
        most, and of the last ones only by this or by ``close``. One read where there is nothing to tell.
        ``RecordsError``."""
        self._behind.require_sound()
        with self.database.reading() as connection:
            found = head_of(connection)
        if found is None or self._ending.is_told(found[0]):
            return
        if self._keys.get(found[0].key_id) is None:  # another process has rotated the key
            self._keys = keys.load(self._keys_at)
        self.database.sync()
        self._ending.tell(found[0])

    def thin_anchors(self, first: int) -> None:
        """Forget the anchors of records before ``first``, which were pruned."""
        with self._queue.leading, self.database.reading() as connection:
            found = head_of(connection)
            if found is not None:
                self._ending.thin(found[0], first)

    def close(self) -> None:
        """Note the end of the chain on the disk, and outside when that is asked for. Idempotent."""
        if self._closed:
            return
        with self._queue.leading:
            self._closed = True
        self._behind.close()
        with self.database.reading() as connection:
            found = head_of(connection)
        if found is not None:
            self.database.sync()
            self._ending.close(found[0])

    def after_fork_in_child(self) -> None:
        """A thread that does not exist here may hold a lock."""
        self._queue = _Queue()
        self._blobs.after_fork_in_child()
        self._ending.after_fork_in_child()
        self._behind = Behind(self.database.sync, self._ending.note, self._on_fault)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class _Failed:
    """``committing``: nobody can know whether it was stored."""

    cause: Exception
    committing: bool
