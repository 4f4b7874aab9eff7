"""An alert as a note in the vault, for people who live there. Written as a transaction, like notes about reviews."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.alerts.channels import ChannelFault
from orchestrator.errors import OrchestratorError
from orchestrator.reviews.notes import write_note
from orchestrator.reviews.page import fenced
from orchestrator.vault.history import History
from orchestrator.vault.holding import ALERT_MARK
from orchestrator.vault.rules import ChangesRefused
from orchestrator.vault.scope import parts

_NAMED: Final = 12  # characters of a name's mark


class Note:
    """Makes a note for each alert, in one directory of the vault. No skill may change them (see ``notes_pattern``)."""

    name = "note"

    def __init__(self, history: History, folder: str) -> None:
        self._history, self._folder = history, "/".join(parts(folder))

    def send(self, told: Mapping[str, Any]) -> None:
        text = page(told).encode()
        mark = hashlib.sha256(text).hexdigest()[:_NAMED]
        try:
            write_note(self._history, f"{self._folder}/{told['time'][:10]} {ALERT_MARK}{mark}.md", text, expected=None)
        except (OrchestratorError, ChangesRefused, OSError, ValueError) as error:
            raise ChannelFault(f"it cannot be written: {error}") from None

    def stop(self) -> None:
        """It ends by itself: the vault's journal finishes what is under way, or takes it back."""


def page(told: Mapping[str, Any]) -> str:
    """The note's text. What could be another's words stands in fenced code only."""
    head = "\n".join(("---", f"alert: {told['kind']}", f"time: {told['time']}", "---"))
    facts = "\n".join(f"{name}: {value}" for name, value in told.items() if value not in ("", 0))
    return "\n\n".join((head, f"# Alert: {told['kind'].replace('_', ' ')}", fenced(facts))) + "\n"
