"""``AuditTrail``: what is about to happen, and what came of it, durable before the caller goes on.

Each call returns when its record is committed (``writing``): it survives ``kill -9`` of this process. That it survives
a power cut too, and its line in the anchor file, follow in a thread (``behind``, ``ending``) while the run goes on.
What must not happen before waits for it: ``settled``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from loguru import logger

from orchestrator import forks
from orchestrator.audit import key as keys
from orchestrator.audit import records
from orchestrator.audit.anchors import NAME as ANCHORS
from orchestrator.audit.anchors import AnchorFile, Outside
from orchestrator.audit.beginning import opened_keys
from orchestrator.audit.behind import Behind
from orchestrator.audit.chain import Head
from orchestrator.audit.ending import Ending
from orchestrator.audit.records import Asked, Draft, Kept
from orchestrator.audit.sanitised import Sanitiser
from orchestrator.audit.writing import Also, Writing
from orchestrator.manifest import SkillManifest
from orchestrator.outputs.known import known_values
from orchestrator.outputs.secrets import Detector
from orchestrator.policy.decision import Decision
from orchestrator.records import Database, RecordsError
from orchestrator.records.deeds import Change, Deed
from orchestrator.results.model import RunResult
from orchestrator.settings import Settings
from orchestrator.validation.recent import Recent

_KEPT_BYTES: Final = 16 * 2**20  # of blobs that need not be looked through for secrets again


@dataclass(frozen=True, slots=True)
class OnDisk:
    """That a record survives a power cut, for whoever must know."""

    _behind: Behind
    _number: int

    def hurry(self) -> None:
        """``wait`` will be called soon."""
        self._behind.hurry(self._number)

    def wait(self) -> None:
        """See ``AuditTrail.settled``."""
        self._behind.wait(self._number)


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
        self._detector = detector or Detector()
        self._instance = instance
        self._on_fault = on_fault
        self._blobs: Recent[object, Kept] = Recent(_KEPT_BYTES)
        self._closed = False
        self.rules = records.ruleset_blob()
        keys_at = state_dir / keys.NAME
        self._writing = Writing(
            database, opened_keys(database, keys_at, self.anchors), keys_at,
            draft_of=self._draft_of, committed=self._committed, on_fault=on_fault,
        )  # fmt: skip
        self._ending = Ending(self.anchors, outside or Outside(), lambda: self._writing.keys, on_fault)
        self._behind = self._new_behind()
        forks.watch(self)
        head = self._writing.head()
        key = self._writing.keys.newest if head is None else self._writing.keys.need(head.key_id)
        self.texts = Sanitiser(self._detector, key.content)
        if head is not None:
            database.sync()  # what a killed process could not do any more
            self._ending.note(head, sync=True)
            self._ending.require()
            self._record_news()

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
        What it returns was done there too, and goes on record with the outcome. It may be called again after a
        failure, and must do nothing but use the connection.

        ``RecordsError`` comes after the run: its result stands, and its changes have landed. The outcome is written as
        soon as others can be, or at ``close``; until then, or if this process ends before, the trail shows it as
        running, or interrupted.
        """
        return self._writing.append_outcome(records.outcome(result, self.texts), also)

    def raised(self, run_id: str, skill: str, error: BaseException) -> int:
        """A run that ended in an exception instead of a result; otherwise like ``outcome``. ``skill``: name@version."""
        return self._writing.append_outcome(records.raised(run_id, skill, error, self.texts))

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
        number = self.append(self._draft_of(deed))
        self.settled(number)

    def keep(self, change: Change) -> None:
        """Carry ``change`` out in one transaction with the records of what it says it did: both are stored and on the
        disk, or, where it or the trail fails, neither. What it raises goes through. Where it did nothing, nothing is
        recorded. (``RecordsError`` of a disk that takes nothing any more comes after both; see ``settled``.)"""
        self._behind.require_sound()
        self._ending.require()
        number = self._writing.keep(change)
        if number:
            self.settled(number)
        else:
            self.database.sync()

    def _draft_of(self, deed: Deed) -> Draft:
        return records.event(
            deed.action, self.texts, principal=deed.by, session=deed.session, run_id=deed.run_id, skill=deed.skill,
            facts=deed.facts,
        )  # fmt: skip

    def rotate(self) -> str:
        """Make a new key, and seal with it from now on; its id. Former keys stay in the file, to verify by."""
        head = self._writing.rotate()
        self.texts = Sanitiser(self._detector, self._writing.keys.need(head.key_id).content)
        self.settled(head.seq)
        self._ending.require()
        return head.key_id

    def settled(self, number: int) -> None:
        """Wait until record ``number``, one of this process, is on the disk. ``RecordsError``: it cannot be brought
        there; no further run starts then."""
        self._behind.wait(number)

    def on_disk(self, number: int) -> OnDisk:
        return OnDisk(self._behind, number)

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

    def append(self, draft: Draft, *, also: Also | None = None) -> int:
        """Write ``draft``, with whatever other threads want written meanwhile; its number."""
        return self._writing.append(draft, also)

    def append_all(self, drafts: Sequence[Draft]) -> None:
        """Write all in one transaction, or none."""
        self._writing.append_all(drafts)

    # --- the end ---------------------------------------------------------------------------------------------------

    def _new_behind(self) -> Behind:
        return Behind(self.database.sync, self._note, self._on_fault)

    def _committed(self, head: Head) -> None:
        self._behind.put(head)

    def _note(self, head: Head) -> None:
        self._ending.note(head)
        self._record_news()

    def _record_news(self) -> bool:
        """Put on record what became of the anchor file, if anything did. A failure is logged, and it is tried again
        after the next anchor."""
        if not (news := self._ending.news()):
            return False
        try:
            self.append_all([records.event(each.action, self.texts, facts=each.facts) for each in news])
        except RecordsError as error:
            self._ending.again(news)
            logger.error("what became of the audit trail's anchor file is not on record yet: {}", error)
            return False
        return True

    def tell_outside(self) -> None:
        """Tell the command and syslog where the chain ends, unless they know: they hear of records once a minute at
        most, and of the last ones only by this or by ``close``. One read where there is nothing to tell.
        ``RecordsError``."""
        self._behind.require_sound()
        head = self._writing.head()
        if head is None or not head.seq or self._ending.is_told(head):
            return
        self.database.sync()
        self._ending.tell(head)

    def thin_anchors(self, first: int) -> None:
        """Forget the anchors of records before ``first``, which were pruned."""
        head = self._writing.head()
        if head is not None:
            self._ending.thin(head, first)
        self._record_news()

    def close(self) -> None:
        """Note the end of the chain on the disk, and outside when that is asked for. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._writing.close()
        self._end()
        if self._record_news():  # of the anchor file, which is noted in the trail, whose end is noted in the file
            self._end()

    def _end(self) -> None:
        self._behind.close()
        head = self._writing.head()
        if head is not None:
            self.database.sync()
            self._ending.close(head)

    def after_fork_in_child(self) -> None:
        """A thread that does not exist here may hold a lock."""
        self._writing.after_fork_in_child()
        self._blobs.after_fork_in_child()
        self._ending.after_fork_in_child()
        self._behind = self._new_behind()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
