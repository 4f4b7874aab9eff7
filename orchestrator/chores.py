"""What a start clears up, and what ``Upkeep`` does again while the process lives."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from orchestrator.audit.anchors import OUTSIDE_SECONDS
from orchestrator.audit.prune import prune
from orchestrator.audit.trail import AuditTrail
from orchestrator.installation import Installation, prune_daily
from orchestrator.records import Records
from orchestrator.registry import Registry
from orchestrator.reviews import Reviews
from orchestrator.settings import Settings
from orchestrator.upkeep import Chore, Rest, go_on

_DAY_SECONDS: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Chores:
    """Of one orchestrator, over what it has open."""

    settings: Settings
    installation: Installation
    audit: AuditTrail
    registry: Registry
    reviews: Reviews | None

    def at_start(self) -> None:
        self._prune_trail()
        self._prune_skills()

    def all(self) -> Iterator[Chore]:
        """What a start does, for processes that live long; and what nobody would do while nothing happens."""
        settings, history, often = self.settings, self.installation.history, self.settings.upkeep_interval_seconds
        if (reviews := self.reviews) is not None:  # first: then the content of what nobody approved goes with the next
            yield Chore("letting review items expire", often, lambda rest: reviews.pending())  # marks them
        if history is not None:
            yield Chore("pruning what is kept of changes", often, partial(prune_daily, history, settings))
        yield Chore("pruning the audit trail", often, self._prune_trail)
        yield Chore("pruning what is kept of skills", often, self._prune_skills)
        yield Chore("clearing up after dead orchestrators", often, lambda rest: self.installation.settle_the_dead())
        if settings.audit_anchor_command or settings.audit_anchor_syslog:
            yield Chore("telling the audit trail's end", OUTSIDE_SECONDS, lambda rest: self.audit.tell_outside())

    def _prune_trail(self, rest: Rest = go_on) -> None:
        """Once a day, whichever process asks first."""
        settings = self.settings
        if self._is_due("audit.prune"):
            prune(self.audit, keep_days=settings.audit_days, keep_bytes=settings.audit_mb * 2**20, rest=rest)

    def _prune_skills(self, rest: Rest = go_on) -> None:
        """The same of what followed for skills from their runs: the trail says it too, for as long."""
        if self._is_due("skills.prune"):
            self.registry.prune(keep_days=self.settings.audit_days, rest=rest)

    def _is_due(self, name: str) -> bool:
        return Records(self.installation.database).due(name, at=time.time(), every_seconds=_DAY_SECONDS)
