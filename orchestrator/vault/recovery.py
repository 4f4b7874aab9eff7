"""Recovery: finishes the transactions that a crash cut off. Runs by itself at each start; running it twice is running
it once.

A transaction with a journal has happened, so its remaining steps are taken. Where one cannot be taken, because somebody
changed the vault since, those that were taken are taken back, as far as nobody has touched what they left: a person's
edit is never undone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from orchestrator.errors import VaultError
from orchestrator.vault import durable, journal
from orchestrator.vault.commit import Keep, keep_nothing, new_owner
from orchestrator.vault.descriptors import DIRECTORY, names, open_directory, opened
from orchestrator.vault.erase import erase
from orchestrator.vault.journal import Journal
from orchestrator.vault.root import Vault
from orchestrator.vault.rules import ChangesRefused
from orchestrator.vault.steps import Stairs


@dataclass(frozen=True, slots=True)
class Recovered:
    """``finished``: all of it is in the vault; else none of it is, but for what people have changed since."""

    journal: Journal
    finished: bool


def recover(vault: Vault, keep: Keep = keep_nothing) -> tuple[Recovered, ...]:
    """Settle every transaction of this vault that has a journal. Under the vault's lock, so that no living one is among
    them. Raises ``VaultError`` when one cannot be settled; it stays for the next time, and so do those after it."""
    found = []
    with vault.locked() as root:
        for parent, name in _stagings(vault):
            with opened(open_directory(name, parent)) as staging:
                record = journal.read(staging)
                if record is None or record.root != vault.identity:
                    continue
                stairs = Stairs(root, staging, device=vault.device, owner=new_owner(vault))
                finished = _settle(record, stairs, staging, keep)
            erase(name, parent)
            found.append(Recovered(record, finished))
            logger.warning("a transaction that was cut off is {}", "finished" if finished else "undone")
    return tuple(found)


def _settle(record: Journal, stairs: Stairs, staging: int, keep: Keep) -> bool:
    try:
        finished = _finished(record, stairs, staging)
        durable.reached("recovery: keep")
        if finished:
            keep(record, staging)
        journal.remove(staging)
    except OSError as error:
        raise VaultError(
            f"a transaction that was cut off cannot be settled: {error}",
            hint="check the vault's space, owner and modes",
        ) from error
    return finished


def _finished(record: Journal, stairs: Stairs, staging: int) -> bool:
    """Take what is left of the steps, or take them back."""
    state = journal.state_of(staging)
    if state == journal.NAME:
        try:
            record.take(stairs, staging)
        except ChangesRefused as refused:
            logger.warning("{}", refused)
            state = journal.UNDO
        else:
            state = journal.TAKEN
    elif state == journal.TAKEN:
        record.retake(stairs)
    if state == journal.UNDO:
        record.backward(stairs, staging)
        return False
    if state == journal.TAKEN:
        record.settle(stairs, staging)
    return True


def _stagings(vault: Vault) -> Iterator[tuple[int, str]]:
    """(descriptor of the parent, name) of each staging directory, wherever this vault may have one."""
    for area in sorted({vault.state_dir / "staging", vault.staging_area}):
        with suppress(FileNotFoundError), _listed(area) as (descriptor, instances):
            for instance in instances:
                with opened(open_directory(instance, descriptor)) as parent:
                    for name in sorted(names(parent)):
                        yield parent, name


@contextmanager
def _listed(area: Path) -> Iterator[tuple[int, list[str]]]:
    with opened(os.open(area, DIRECTORY)) as descriptor:
        yield descriptor, sorted(names(descriptor))
