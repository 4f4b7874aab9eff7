"""``Reviews``: the manual queue. Changes that wait, and runs that failed and are to be looked at.

An approval is bound to what was shown: the change set's hash and the manifest's and code's. At the moment of approving
everything is checked again - policy, grants, and that the vault still holds what the change set was compared with.
A person who edits held changes makes another change set of them, with another hash: what was shown before counts no
more.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from orchestrator.errors import ManifestError, ReviewError, VaultError
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.manifest.document import manifest_digest, manifest_document
from orchestrator.policy import Decision
from orchestrator.records import Decision as Verdict
from orchestrator.records import Review, ReviewEdit, SetState, StoredSet
from orchestrator.records.deeds import Deed
from orchestrator.reviews.notes import ReviewNotes
from orchestrator.settings import Settings
from orchestrator.text import one_line
from orchestrator.vault.amend import Draft, amended, drafts, over_quotas
from orchestrator.vault.changes import Change
from orchestrator.vault.check import check
from orchestrator.vault.history import History, RunFacts, digest_of
from orchestrator.vault.rules import ChangesRefused
from orchestrator.vault.tally import Quotas

_DAY_SECONDS = 86400.0


class Reviews:
    """Thread-safe, and safe from several processes: of two who decide one item, one is told that it was decided."""

    def __init__(
        self,
        history: History,
        decide: Callable[[SkillManifest], Decision],
        *,
        days: float,
        notes: ReviewNotes | None = None,
    ) -> None:
        """``decide`` is the policy of this moment; ``days`` is how long an item can be approved. ``notes`` None: items
        do not appear in the vault."""
        self.history = history
        self._decide = decide
        self._days = days
        self._notes = notes or ReviewNotes(history)
        self._vault = str(history.vault.root)

    @classmethod
    def of(cls, settings: Settings, history: History, decide: Callable[[SkillManifest], Decision]) -> Self:
        """As the settings say."""
        folder = settings.review_folder if settings.review_notes else ""
        return cls(history, decide, days=settings.review_days, notes=ReviewNotes(history, folder))

    # --- asking ----------------------------------------------------------------------------------------------------

    def ask(self, skill: SkillManifest, held: StoredSet, reasons: Sequence[str]) -> str:
        """Put a held change set into the queue; the item's id."""
        return self._add(skill, held.run_id, "changes", reasons, held.digest)

    def ask_about_failure(self, skill: SkillManifest, run_id: str, reason: str) -> str:
        """Put a run that failed into the queue; the item's id."""
        return self._add(skill, run_id, "failure", (reason,), "")

    def _add(self, skill: SkillManifest, run_id: str, kind: str, reasons: Sequence[str], digest: str) -> str:
        now = time.time()
        review = Review(
            id=secrets.token_hex(6),
            run_id=run_id,
            kind="changes" if kind == "changes" else "failure",
            reasons=tuple(one_line(reason, 1000) for reason in reasons),
            digest=digest,
            code_sha256=skill.code_digest,
            manifest_digest=manifest_digest(skill),  # as it ran, with a level or a time that the caller replaced
            manifest=manifest_document(skill),
            created_at=now,
            expires_at=now + self._days * _DAY_SECONDS,
            vault=self._vault,
        )
        self.history.records.add_review(review)
        self._notes.add(review)
        return review.id

    # --- looking ---------------------------------------------------------------------------------------------------

    def pending(self) -> list[Review]:
        """What waits, oldest first. What is too old is marked as expired and left out."""
        waiting = self.history.records.reviews(vault=self._vault)
        return [review for review in waiting if not self._expired(review)]

    def decided(self) -> list[Review]:
        """What was approved, rejected or has expired, oldest first."""
        found = self.history.records.reviews(None, vault=self._vault)
        return [review for review in found if review.state != "pending"]

    def get(self, review_id: str) -> Review:
        """Raises ``ReviewError`` for an id that nobody gave out."""
        review = self.history.records.review(review_id)
        if review is None or review.vault != self._vault:
            raise ReviewError(f"there is no review {one_line(review_id, 60)!r}")
        return review

    def changes(self, review_id: str) -> StoredSet | None:
        """The change set of an item; None for a run that failed."""
        return self.history.records.set_of(self.get(review_id).run_id)

    def diff(self, review_id: str) -> str:
        """Unified diffs against the vault as it is now, control characters escaped."""
        stored = self.changes(review_id)
        return "" if stored is None else self.history.diff_of(stored)

    def drafts(self, review_id: str) -> tuple[Draft, ...]:
        """The changed files as a person would edit them, and why some cannot be."""
        stored = self.changes(review_id)
        return () if stored is None else drafts(stored.changes, self.history.objects)

    def edits(self, review_id: str) -> list[ReviewEdit]:
        """Who changed what the item is about, oldest first."""
        return self.history.records.edits(self.get(review_id).id)

    def _expired(self, review: Review) -> bool:
        if time.time() < review.expires_at:
            return False
        if self.history.records.decide(review.id, "expired", by="", at=time.time(), set_state="expired"):
            self._notes.update(review.id)
        return True

    # --- editing ---------------------------------------------------------------------------------------------------

    def edit(self, review_id: str, contents: Mapping[str, bytes], *, by: str = "", digest: str = "") -> Review:
        """Put ``contents`` (path in the vault -> content) in the place of what the run wrote; the item as it is then,
        about another change set. ``by`` is recorded. ``digest`` is that of the change set that was edited ("": of the
        item as it is now); where somebody else was faster, it is another one by now.

        The paths stay: only content that is text, before and after, can be edited. Approving checks the result like
        everything else. Raises ``ReviewError`` (decided, expired, edited meanwhile, not to be edited), and
        ``VaultError`` when it cannot be stored; what was there before then still waits.
        """
        review = self._open(review_id)
        stored = self._shown(review, digest)
        if stored is None:
            raise ReviewError(f"review {review.id} has no changes to edit")
        try:
            changes = amended(stored.changes, contents, self.history.objects)
        except OSError as error:
            raise VaultError(f"the edit cannot be stored: {error.strerror}", hint="check the space there") from error
        edit = ReviewEdit(review.id, time.time(), one_line(by, 200), review.digest, digest_of(changes))
        if edit.digest == review.digest:
            return review
        if not self.history.records.amend(edit, changes):
            raise ReviewError(f"review {review.id} was decided or edited meanwhile")
        facts = {"review": review.id, "former_digest": edit.former_digest, "digest": edit.digest}
        self.history.tell(Deed("review.edited", review.run_id, stored.skill, edit.by, facts))
        self._notes.update(review.id)
        return self.get(review.id)

    def _shown(self, review: Review, digest: str) -> StoredSet | None:
        """The changes of an item that still waits, if they are those that were shown; None for a run that failed."""
        if digest not in ("", review.digest):
            raise ReviewError(f"the changes of review {review.id} were edited meanwhile", hint="look at them once more")
        if review.kind == "failure":
            return None
        stored = self.changes(review.id)
        if stored is None or stored.state != "held" or digest_of(stored.changes) != review.digest:
            raise ReviewError(f"the changes of review {review.id} are not what was to be reviewed")
        return stored

    # --- deciding --------------------------------------------------------------------------------------------------

    def approve(self, review_id: str, *, by: str = "", digest: str = "") -> tuple[Change, ...]:
        """Let the changes land; what was changed. ``by`` is recorded. ``digest`` is that of the change set that was
        looked at (``Review.digest``), so that an edit since is not approved unseen; "": whatever it is now.

        Raises ``ReviewError`` (decided, expired, not what was shown, or the policy denies it now) and
        ``ChangesRefused`` (the vault is not what it was any more); the item then still waits, unless it expired.
        """
        review = self._open(review_id)
        stored = self._shown(review, digest)
        if stored is None:
            self._closed(review, "approved", by, "")
            return ()
        skill = self._same_skill(review)
        with self.history.to_land(stored) as changes:
            if changes.conflicts:
                raise ChangesRefused(changes.conflicts)
            self._check(skill, changes.changes)
            facts = RunFacts(
                stored.run_id, stored.skill, stored.code_sha256, stored.manifest_digest, stored.level,
                review=review.id, by=by, digest=review.digest,
            )  # fmt: skip
            landed = self.history.commit(changes, facts)
        if landed:
            self._notes.update(review.id)
        else:  # nothing was left to do
            self._closed(review, "approved", by, "", set_state="superseded")
        return landed

    def reject(self, review_id: str, *, by: str = "", comment: str = "") -> None:
        """Throw the changes away. Raises ``ReviewError`` when it is decided already."""
        self._closed(self._open(review_id), "rejected", by, comment, set_state="rejected")

    def _open(self, review_id: str) -> Review:
        review = self.get(review_id)
        if review.state == "pending" and self._expired(review):
            raise ReviewError(f"review {review.id} has expired", hint="run the skill again")
        if review.state != "pending":
            raise ReviewError(f"review {review.id} is {review.state}")
        return review

    def _closed(
        self, review: Review, state: Verdict, by: str, comment: str, *, set_state: SetState | None = None
    ) -> None:
        if not self.history.records.decide(
            review.id, state, by=by, comment=comment, at=time.time(), digest=review.digest, set_state=set_state
        ):
            raise ReviewError(f"review {review.id} was decided or edited meanwhile")
        facts = {"review": review.id, "digest": review.digest}
        self.history.tell(Deed(f"review.{state}", review.run_id, by=one_line(by, 200), facts=facts))
        self._notes.update(review.id)

    def _same_skill(self, review: Review) -> SkillManifest:
        """The skill as it was when it ran: the approval holds for no other code."""
        try:
            skill = load_manifest(review.manifest)
        except ManifestError as error:
            raise ReviewError(f"the manifest of review {review.id} cannot be read any more: {error}") from error
        if (skill.digest, skill.code_digest) != (review.manifest_digest, review.code_sha256):
            raise ReviewError(f"the manifest of review {review.id} is not the one that ran")
        return skill

    def _check(self, skill: SkillManifest, changes: Sequence[Change]) -> None:
        decision = self._decide(skill)
        if not decision.allowed or decision.grants is None:
            raise ReviewError(f"the policy denies {skill.name} now: {decision.violations[0]}", hint="reject it")
        findings = check(changes, decision.grants, decision.forbidden)
        if decision.limits is not None:
            findings += tuple(over_quotas(changes, Quotas.of(decision.limits)))
        if findings:
            raise ReviewError(f"the policy refuses these changes now: {findings[0]}", hint="reject it")
