"""``Dashboard``: looks at the facts and at the note, and writes the note where it does not say what is so.

Theory of operation. Every text that is written ends in a seal: when, by whom, and a checksum. So the file alone tells
what has to be done, whoever wrote it last and whatever happened to it since:
1. it says what is so when the facts, written down as of the seal's moment, are that text byte for byte;
2. it is another's when it is whole, that one still lives (or has another state directory, perhaps on another machine
   that synchronises the vault), and nothing changed here since the last look: two that both see to it would overwrite
   each other's figures for ever;
3. else it is written anew: facts changed, somebody edited or deleted it, or its writer is gone.
Between two writings lies the interval, counted from the seal's moment: so it holds over all processes. The last one of
a process may come sooner: when the text is its own, and so claims what is over; and when it lived for an interval.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from orchestrator.dashboard.facts import Facts
from orchestrator.dashboard.note import DashboardNote, Written
from orchestrator.dashboard.page import page
from orchestrator.dashboard.seal import Seal, Writer, seal_of, sealed
from orchestrator.dashboard.sources import Sources, gather

_UNCHANGED: Final = Written("unchanged")


def nobody(_instance: str) -> bool:
    return False


class Dashboard:
    """For one thread at a time: ``Keeper``'s, or a command's."""

    def __init__(
        self,
        note: DashboardNote,
        sources: Sources,
        *,
        writer: Writer,
        alive: Callable[[str], bool] = nobody,
        interval_seconds: float = 0.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``alive``: whether an orchestrator of ``writer.state`` still sees to the note. ``now``: Unix seconds."""
        self.note, self._sources, self._writer = note, sources, writer
        self._alive, self._interval, self._now = alive, interval_seconds, now
        self._began = float(int(now()))
        self._shown: Facts | None = None

    def refresh(self, *, last: bool = False) -> Written:
        """``last``: nothing is looked at after this, so what came too late for a former file is waited for. Raises
        ``VaultError`` when the vault fails; then, and after a conflict, the next call tries again."""
        facts = gather(self._sources, float(int(self._now())))
        written = self._refreshed(facts, last)
        if last:
            if self.note.finish():
                written = self.note.write(self._text(facts))
            self.note.close()
        return written

    def _refreshed(self, facts: Facts, last: bool) -> Written:
        seen = self.note.look()
        seal = None if seen.body is None else seal_of(seen.body)
        if not seen.late:
            if seal is not None and (self._text(facts, seal) == seen.body or self._of_another(seal, facts, last)):
                self._shown = facts
                return _UNCHANGED
            wait = 0.0 if seal is None else self._wait(seal, facts.at, last)
            if wait > 0:
                return Written("too_soon", "it was written a moment ago", wait)
        written = self.note.write(self._text(facts))
        if written.state in ("written", "unchanged"):
            self._shown = facts
        return written

    def _text(self, facts: Facts, seal: Seal | None = None) -> str:
        """``facts`` as this writes them; with ``seal``, as they would have been written then."""
        at, writer = (int(facts.at), self._writer) if seal is None else (seal.at, seal.writer)
        return sealed(page(replace(facts, at=float(at))), at, writer)

    def _of_another(self, seal: Seal, facts: Facts, last: bool) -> bool:
        """Whether the file is as somebody else left it who will see to it, as far as that is not for us to do."""
        if not seal.whole or seal.writer == self._writer:
            return False
        if seal.writer.state != self._writer.state:
            return facts == self._shown
        return (last or facts == self._shown) and bool(seal.writer.instance) and self._alive(seal.writer.instance)

    def _wait(self, seal: Seal, at: float, last: bool) -> float:
        """Seconds until it may be written. A seal from the future says nothing about when it was written."""
        if last and (seal.writer == self._writer or at - self._began >= self._interval):
            return 0.0
        return max(0.0, seal.at + self._interval - at) if seal.at <= at else 0.0
