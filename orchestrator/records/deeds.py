"""Changes that leave an account of themselves: what was done is told in the transaction that does it.

Who makes a change hands it to a ``Keep``. The audit trail's puts what the change tells on record in the same
transaction, so that there is neither without the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from orchestrator.records.database import Database


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a person did, or that followed from runs, and no run itself: for whoever keeps an account of
    that. ``action`` is a dotted name like "vault.rolled_back"; ``skill`` is name@version; ``facts`` are JSON values."""

    action: str
    run_id: str
    skill: str = ""
    by: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    session: str = ""


Change = Callable[[Connection], Sequence[Deed]]
"""Changes something in a writing transaction, and says what it did; nothing, where nothing was changed. It must do
nothing but use the connection."""

Keep = Callable[[Change], None]
"""Carries a change out, in a transaction of its own. What the change raises goes through; then nothing is stored."""


def without_account(database: Database) -> Keep:
    """Where nobody keeps one."""

    def keep(change: Change) -> None:
        with database.writing() as connection:
            change(connection)

    return keep
