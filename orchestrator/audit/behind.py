"""``Behind``: what a committed record still needs, done in a thread while the run goes on.

    commit (survives this process) -> sync of the database (survives a power cut) -> anchor -> whoever waits goes on

In this order, so no anchor is ever ahead of what the disk holds. It begins a moment later (``LINGER_SECONDS``), or once
somebody waits: beside a short run, the thread would take more time from it than the sync takes. Records that come
meanwhile share it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from loguru import logger

from orchestrator.audit.chain import Head
from orchestrator.records.errors import RecordsError

LINGER_SECONDS: Final = 0.02  # more than most runs take; what a power cut may cost


class Behind:
    """Thread-safe; the thread starts with the first record. Once ``sync`` or ``anchor`` raises, nothing is done any
    more, and everybody who waits gets that error: what a disk lost stays lost, whatever it answers later. ``on_fault``
    hears of it."""

    def __init__(
        self, sync: Callable[[], None], anchor: Callable[[Head], None], on_fault: Callable[[str], None]
    ) -> None:
        self._sync, self._anchor, self._on_fault = sync, anchor, on_fault
        self._changed = threading.Condition()
        self._newest: Head | None = None
        self._done = 0  # the number of the last record that is finished with
        self._failed: RecordsError | None = None
        self._thread: threading.Thread | None = None
        self._urgent = False  # somebody waits
        self._closing = False

    def put(self, head: Head) -> None:
        """The chain ends there now. Heads may come in any order, from several threads."""
        with self._changed:
            was_behind = self._is_behind()
            if self._newest is None or head.seq > self._newest.seq:
                self._newest = head
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="audit-behind", daemon=True)
                self._thread.start()
            elif not was_behind:
                self._changed.notify_all()

    def hurry(self, seq: int) -> None:
        """Somebody will ``wait`` soon."""
        with self._changed:
            if self._done < seq:
                self._urgent = True
                self._changed.notify_all()

    def wait(self, seq: int) -> None:
        """Until record ``seq``, which was put, is on the disk and its anchor was tried. Raises ``RecordsError``."""
        with self._changed:
            self.hurry(seq)
            self._changed.wait_for(lambda: self._done >= seq or self._failed is not None)
            if self._done < seq:
                self._raise_failed()

    def require_sound(self) -> None:
        """Raises ``RecordsError`` once a sync has failed."""
        if self._failed is not None:
            self._raise_failed()

    def _raise_failed(self) -> None:
        if self._failed is not None:  # several callers may get the same: each its own traceback
            raise RecordsError(self._failed.message, hint=self._failed.hint) from self._failed

    def close(self) -> None:
        """Finish what was put. Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while (head := self._next()) is not None:
            failed: RecordsError | None = None
            try:
                self._sync()
                self._anchor(head)
            except RecordsError as error:
                failed = error
            except Exception as error:  # noqa: BLE001 - whoever waits is not left waiting
                failed = RecordsError(f"the audit trail cannot be brought to the disk: {error!r}")
            if failed is not None:
                logger.error("the audit trail cannot be brought to the disk: {}", failed)
                self._on_fault(f"the audit trail cannot be brought to the disk: {failed}")
            with self._changed:
                self._failed = failed
                self._done = self._done if failed else head.seq
                self._changed.notify_all()

    def _next(self) -> Head | None:
        """The newest head, once there is one that needs something; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._is_behind())
            self._changed.wait_for(lambda: self._closing or self._urgent, LINGER_SECONDS)
            self._urgent = False
            return self._newest if self._is_behind() else None

    def _is_behind(self) -> bool:
        return self._failed is None and self._newest is not None and self._newest.seq > self._done
