"""``Dashboard``: looks at the facts, and writes the note when they are others than those that it wrote last."""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.dashboard.facts import Facts
from orchestrator.dashboard.note import DashboardNote, Written
from orchestrator.dashboard.page import page
from orchestrator.dashboard.sources import Sources, gather


class Dashboard:
    """For one thread at a time: ``Keeper``'s, or a command's."""

    def __init__(self, note: DashboardNote, sources: Sources, *, now: Callable[[], float] = time.time) -> None:
        """``now``: Unix seconds."""
        self.note, self._sources, self._now = note, sources, now
        self._shown: Facts | None = None

    def refresh(self) -> Written:
        """Raises ``VaultError`` when the vault fails; then, and after a conflict, the next call tries again."""
        facts = gather(self._sources, self._now())
        if facts == self._shown:
            return Written("unchanged")
        written = self.note.write(page(facts))
        if written.state in ("written", "unchanged"):
            self._shown = facts
        return written
