"""``Finisher``: ends transactions behind the answer, so that nobody waits for what no crash can take back any more.

When the steps of a transaction are taken and its journal is on disk, the run may be answered: syncing directories, the
record and the kept content follow in a thread of our own, under the vault's lock, so that the next commit - of any
process - finds all of it done.

What fails there cannot be undone any more, since the answer was given. The journal stays, and recovery finishes it:
before the next transaction of this process, when somebody waits, or at the next start. While it cannot, nothing else
lands here: a disk or a database that is broken stops changes instead of losing their records.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from loguru import logger

from orchestrator import forks
from orchestrator.errors import VaultError
from orchestrator.vault.commit import Begun


class Finisher:
    """Of one vault. Thread-safe. In a forked child it knows nothing of the parent's transactions."""

    def __init__(self, recover: Callable[[], object]) -> None:
        """``recover`` settles all transactions that have a journal and that nobody is at; ``VaultError``: it cannot."""
        self._recover = recover
        self._lock = threading.Lock()
        self._under_way: set[Future[None]] = set()
        self._unfinished = False  # a journal was left for recovery
        self._threads: ThreadPoolExecutor | None = None
        forks.watch(self)

    def add(self, begun: Begun) -> None:
        """Finish ``begun`` soon, and discard its staging directory then."""
        begun.take_over()
        try:
            with self._lock:
                future = self._pool().submit(self._finish, begun)
                self._under_way.add(future)
        except RuntimeError:  # the interpreter is on its way out, or no thread can be had
            self._finish(begun)
        else:
            future.add_done_callback(self._forget)

    def require_finished(self) -> None:
        """Raises ``VaultError`` while an earlier transaction cannot be finished. Does not wait for what is under way:
        the vault's lock does."""
        if self._unfinished:
            self._recover()
            self._unfinished = False

    def wait(self) -> None:
        """Until all that was added is finished. Raises ``VaultError`` when something cannot be."""
        with self._lock:
            under_way = list(self._under_way)
        for future in under_way:
            future.result()
        self.require_finished()

    def close(self) -> None:
        """Wait. What cannot be finished is left to the next start."""
        try:
            self.wait()
        except (VaultError, OSError) as error:
            logger.error("a change is in the vault, but not in the records: {}", error)
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()

    def after_fork_in_child(self) -> None:
        self._lock = threading.Lock()
        self._under_way, self._unfinished, self._threads = set(), False, None

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, thread_name_prefix="finish")
        return self._threads

    def _forget(self, future: Future[None]) -> None:
        with self._lock:
            self._under_way.discard(future)

    def _finish(self, begun: Begun) -> None:
        try:
            begun.finish()
        except Exception as error:  # noqa: BLE001 - whatever it was, the vault must not stay locked for it
            logger.error("a change that has landed is not finished yet; it is tried again: {}", error)
            self._unfinished = True
            begun.leave()
        else:
            begun.discard()
