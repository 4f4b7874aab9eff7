"""``Writing``: drafts become records at the end of the chain, in the database.

Threads that come at the same time share a transaction: the first of them writes for all that wait, and nobody changes
threads. The order of records is the order of transactions, over all threads and processes of one database: the end of
the chain is read inside the transaction, never remembered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loguru import logger
from sqlalchemy import Connection

from orchestrator.audit import key as keys
from orchestrator.audit import records
from orchestrator.audit.chain import Head
from orchestrator.audit.key import Keyring
from orchestrator.audit.ledger import Addition, head_of, is_ended
from orchestrator.audit.records import Draft
from orchestrator.records import Database, RecordsError
from orchestrator.records.deeds import Change, Deed

_MOST_LATE: Final = 1000  # records that wait for the database to come back
_LATE_TRIES: Final = 3  # of one of them, while others can be stored
_CLOSED: Final = "the audit trail is closed"
Also = Callable[[Connection], Sequence[Deed] | None]


@dataclass(slots=True)
class _Ticket:
    """A record that waits to be written, and what became of it."""

    draft: Draft
    also: Also | None = None
    seq: int = 0
    done: bool = False
    error: Exception | None = None
    late: bool = False  # it could not be stored before, or nobody knows: not if it is there
    tries: int = 0


@dataclass(frozen=True, slots=True)
class _Failed:
    """``committing``: nobody can know whether it was stored."""

    cause: Exception
    committing: bool


class Writing:
    """Thread-safe. ``draft_of`` makes a record of a deed; ``committed`` hears where the chain ends after each
    transaction; ``on_fault`` hears of records that are lost. Neither may raise."""

    def __init__(
        self,
        database: Database,
        ring: Keyring,
        keys_at: Path,
        *,
        draft_of: Callable[[Deed], Draft],
        committed: Callable[[Head], None],
        on_fault: Callable[[str], None],
    ) -> None:
        self.keys = ring
        self._database, self._keys_at = database, keys_at
        self._draft_of, self._committed, self._on_fault = draft_of, committed, on_fault
        self._leading = threading.Lock()  # whoever holds it writes what waits
        self._lock = threading.Lock()  # only for the lists
        self._waiting: list[_Ticket] = []
        self._late: list[_Ticket] = []
        self._closed = False

    def head(self) -> Head | None:
        """Where the chain ends, unchecked; its key is known then."""
        with self._database.reading() as connection:
            found = head_of(connection)
        if found is None:
            return None
        self._know(found[0])
        return found[0]

    def _know(self, head: Head) -> None:
        """Another process may have rotated the key."""
        if self.keys.get(head.key_id) is None:
            self.keys = keys.load(self._keys_at)

    # --- one record ------------------------------------------------------------------------------------------------

    def append(self, draft: Draft, also: Also | None = None) -> int:
        """Write ``draft``, with whatever other threads want written meanwhile; its number."""
        if self._closed:
            raise RecordsError(_CLOSED)
        ticket = _Ticket(draft, also)
        with self._lock:
            self._waiting.append(ticket)
        with self._leading:
            if not ticket.done:
                self._lead(self._take())
        if isinstance(ticket.error, RecordsError):  # several callers may get the same: each its own traceback
            raise RecordsError(ticket.error.message, hint=ticket.error.hint) from ticket.error
        if ticket.error is not None:
            raise ticket.error
        return ticket.seq

    def append_outcome(self, draft: Draft, also: Also | None = None) -> int:
        """The same. After a ``RecordsError`` it is written as soon as something else can be, or by ``close``."""
        try:
            return self.append(draft, also)
        except RecordsError:
            with self._lock:
                if len(self._late) < _MOST_LATE:
                    self._late.append(_Ticket(draft, also, late=True))
            raise

    def _take(self) -> list[_Ticket]:
        with self._lock:
            batch, self._waiting = self._waiting, []
            return batch

    def _lead(self, batch: list[_Ticket]) -> None:
        try:
            self._write(batch)
            if self._late and any(each.error is None for each in batch):
                self._write_late()
        except BaseException:  # Ctrl-C in this thread is no reason for the others to wait for ever
            unknown = RecordsError("the thread that wrote this was interrupted; whether it is stored is not known")
            _settle([each for each in batch if not each.done], _Failed(unknown, committing=True))
            raise

    def _write(self, batch: list[_Ticket]) -> None:
        """All of ``batch`` in one transaction. Should one of them spoil it, each gets one of its own, unless the
        transaction may have been committed all the same."""
        error = self._commit(batch)
        if error is not None and len(batch) > 1 and not error.committing:
            for ticket in batch:
                _settle([ticket], self._commit([ticket]))
        else:
            _settle(batch, error)

    def _write_late(self) -> None:
        """Records that could not be stored when the database was away, which it is not any more. What cannot be stored
        even now, again and again, is lost, and that is told."""
        with self._lock:
            late, self._late = self._late, []
        if self._commit(late) is None:
            return
        for ticket in late:
            failed = self._commit([ticket])
            ticket.tries += 1
            if failed is not None and ticket.tries < _LATE_TRIES:
                with self._lock:
                    self._late.append(ticket)
            elif failed is not None:
                fault = f"the outcome of run {ticket.draft.run_id} cannot be stored: {failed.cause}"
                logger.error("{}", fault)
                self._on_fault(fault)

    # --- transactions ----------------------------------------------------------------------------------------------

    def append_all(self, drafts: Sequence[Draft]) -> None:
        """Write all in one transaction, or none."""
        with self._leading:
            failed = self._commit([_Ticket(draft) for draft in drafts])
        if failed is not None:
            raise failed.cause

    def keep(self, change: Change) -> int:
        """Carry ``change`` out, with the records of what it says it did; the number of the last one, 0 for none."""
        with self._leading, self._database.writing(synced=False) as connection:
            if self._closed:
                raise RecordsError(_CLOSED)
            addition = self._addition(connection)
            numbers = [addition.add(self._draft_of(deed)) for deed in change(connection)]
            addition.write()
        if not numbers:
            return 0
        self._committed(addition.head)
        return numbers[-1]

    def rotate(self) -> Head:
        """Make a new key, and seal with it from now on: where the chain ends then. Former keys stay in the file, to
        verify by."""
        self.keys = keys.add(self._keys_at)
        new = self.keys.newest
        with self._leading, self._database.writing() as connection:
            addition = self._addition(connection)
            addition.add(records.rotation(new.id), then_key=new.id)
            addition.write()
        self._committed(addition.head)
        return addition.head

    def _commit(self, batch: list[_Ticket]) -> _Failed | None:
        committing = False
        try:
            with self._database.writing(synced=False) as connection:
                addition = self._addition(connection)
                news = [each for each in batch if not (each.late and is_ended(connection, each.draft.run_id))]
                for ticket in news:
                    ticket.seq = addition.add(ticket.draft)
                for ticket in news:
                    for deed in (None if ticket.also is None else ticket.also(connection)) or ():
                        addition.add(self._draft_of(deed))
                addition.write()
                committing = True
        except Exception as error:  # noqa: BLE001 - handed to every caller whose record it was
            return _Failed(error, committing)
        self._committed(addition.head)
        return None

    def _addition(self, connection: Connection) -> Addition:
        found = head_of(connection)
        if found is not None:
            self._know(found[0])
        return Addition.after(connection, self.keys, found)

    # --- the end ---------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Nothing is written after this. Idempotent."""
        with self._leading:
            if self._late:
                self._write_late()
            self._closed = True

    def after_fork_in_child(self) -> None:
        """A thread that does not exist here may hold a lock."""
        self._leading, self._lock = threading.Lock(), threading.Lock()
        self._waiting, self._late = [], []


def _settle(batch: list[_Ticket], error: _Failed | None) -> None:
    for ticket in batch:
        ticket.error, ticket.done = None if error is None else error.cause, True
