"""``Reviews``: the manual queue. Changes that wait, and runs that failed and are to be looked at.

An approval is bound to what was shown: the change set's hash and the manifest's and code's. At the moment of approving
everything is checked again - policy, grants, and that the vault still holds what the change set was compared with.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence

from orchestrator.errors import ManifestError, ReviewError
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.manifest.document import manifest_digest, manifest_document
from orchestrator.policy import Decision
from orchestrator.records import Decision as Verdict
from orchestrator.records import Review, StoredSet
from orchestrator.text import one_line
from orchestrator.vault.changes import Change
from orchestrator.vault.check import check
from orchestrator.vault.history import History, RunFacts, digest_of
from orchestrator.vault.rules import ChangesRefused

_DAY_SECONDS = 86400.0


class Reviews:
    """Thread-safe, and safe from several processes: of two who decide one item, one is told that it was decided."""

    def __init__(self, history: History, decide: Callable[[SkillManifest], Decision], *, days: float) -> None:
        """``decide`` is the policy of this moment; ``days`` is how long an item can be approved."""
        self.history = history
        self._decide = decide
        self._days = days
        self._vault = str(history.vault.root)

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

    def _expired(self, review: Review) -> bool:
        if time.time() < review.expires_at:
            return False
        if self.history.records.decide(review.id, "expired", by="", at=time.time()) and review.digest:
            self.history.records.mark_set(review.run_id, "expired")
        return True

    # --- deciding --------------------------------------------------------------------------------------------------

    def approve(self, review_id: str, *, by: str = "") -> tuple[Change, ...]:
        """Let the changes land; what was changed. ``by`` is recorded.

        Raises ``ReviewError`` (decided, expired, not what was shown, or the policy denies it now) and
        ``ChangesRefused`` (the vault is not what it was any more); the item then still waits, unless it expired.
        """
        review = self._open(review_id)
        stored = self.changes(review_id)
        if review.kind == "failure":
            self._closed(review, "approved", by, "")
            return ()
        if stored is None or stored.state != "held" or digest_of(stored.changes) != review.digest:
            raise ReviewError(f"the changes of review {review.id} are not what was to be reviewed")
        skill = self._same_skill(review)
        with self.history.to_land(stored) as changes:
            if changes.conflicts:
                raise ChangesRefused(changes.conflicts)
            self._check(skill, changes.changes)
            facts = RunFacts(
                stored.run_id, stored.skill, stored.code_sha256, stored.manifest_digest, stored.level,
                review=review.id, by=by,
            )  # fmt: skip
            landed = self.history.commit(changes, facts)
        if not landed:  # nothing was left to do
            self._closed(review, "approved", by, "")
        return landed

    def reject(self, review_id: str, *, by: str = "", comment: str = "") -> None:
        """Throw the changes away. Raises ``ReviewError`` when it is decided already."""
        review = self._open(review_id)
        self._closed(review, "rejected", by, comment)
        if review.kind == "changes":
            self.history.records.mark_set(review.run_id, "rejected", comment)

    def _open(self, review_id: str) -> Review:
        review = self.get(review_id)
        if review.state == "pending" and self._expired(review):
            raise ReviewError(f"review {review.id} has expired", hint="run the skill again")
        if review.state != "pending":
            raise ReviewError(f"review {review.id} is {review.state}")
        return review

    def _closed(self, review: Review, state: Verdict, by: str, comment: str) -> None:
        if not self.history.records.decide(review.id, state, by=by, comment=comment, at=time.time()):
            raise ReviewError(f"review {review.id} was decided meanwhile")

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
        if findings:
            raise ReviewError(f"the policy refuses these changes now: {findings[0]}", hint="reject it")
