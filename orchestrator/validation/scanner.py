"""``Scanner.inspect(skill)``: the facts about a skill's code. Which of them a level allows is the policy's business.

::

    code -> digest -> kept in memory? -> kept on disk? -> a scanning process (scan_process.py) -> Inspection

The text is hashed here, and its bytes go to a process that says in its answer which digest it looked at: what is
hashed, scanned and run is one text. Hostile text can take that process down, never the host: every way in which a scan
can break off is the mandatory finding ORC008, which is a denial. Such an answer is not kept: the next caller tries
again.

Whoever calls gets an ``Inspection``, never an exception. Nothing is started at import.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

from loguru import logger

from orchestrator import forks
from orchestrator.manifest.model import SkillManifest
from orchestrator.validation.disk import DiskCache
from orchestrator.validation.inspection import Inspection, Malformed, as_bytes, decode, digest_of
from orchestrator.validation.recent import Recent
from orchestrator.validation.rules import make_finding
from orchestrator.validation.ruleset import ruleset_digest
from orchestrator.validation.scan_process import ScanLimits, ScanProcess, Unfinished

__all__ = ["Inspection", "Scanner", "digest_of", "inspect"]

_PROCESSES: Final = 2  # scans at once; further callers wait, each for at most as long as the scans before it may take
_KEPT_WEIGHT: Final = 50_000  # findings and imports in memory; some 30 MB


class Scanner:
    """Keeps inspections and one or two scanning processes. Thread-safe. Use it as a context manager, or call ``close``;
    one that is forgotten ends its processes with the interpreter.

    ``cache_dir``: the user's cache directory, where inspections are kept below ``scans``; None: in memory only.
    """

    def __init__(self, cache_dir: Path | None = None, *, limits: ScanLimits | None = None) -> None:
        self._limits = limits or ScanLimits()
        self._cache_dir = cache_dir
        self._memory: Recent[str, Inspection] = Recent(_KEPT_WEIGHT)
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_PROCESSES)
        self._idle: list[ScanProcess] = []
        self._all: set[ScanProcess] = set()
        self._closed = False
        self.scans = 0  # texts that were given to a process, for tests and reports
        weakref.finalize(self, _end_all, self._all)
        forks.watch(self)

    def inspect(self, skill: SkillManifest) -> Inspection:
        """The facts about ``skill.code``. Total: any text gets an answer."""
        text = as_bytes(skill.code)
        digest = hashlib.sha256(text).hexdigest()
        found = self._memory.get(digest) or self._from_disk(digest)
        return found or self._scanned(text, digest)

    def warm(self) -> None:
        """Have a process ready for the first scan. Does not wait for it, and never raises."""
        with self._lock:
            if self._closed or self._all:
                return
        self._keep(self._started())

    # --- keeping ---------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _disk(self) -> DiskCache | None:
        ruleset = ruleset_digest()
        return None if self._cache_dir is None or not ruleset else DiskCache(self._cache_dir / "scans", ruleset)

    def _from_disk(self, digest: str) -> Inspection | None:
        found = None if self._disk is None else self._disk.get(digest)
        if found is not None:
            self._remember(found)
        return found

    def _remember(self, found: Inspection) -> None:
        self._memory.put(found.code_digest, found, 1 + len(found.findings) + len(found.imports) + found.outline.size)

    # --- scanning --------------------------------------------------------------------------------------------------

    def _scanned(self, text: bytes, digest: str) -> Inspection:
        with self._places:
            found = self._memory.get(digest)  # whoever had the place before may have asked the same
            if found is None:
                found = self._asked(text, digest)
                if not found.finished:
                    return found
                self._remember(found)
                if self._disk is not None:
                    self._disk.put(found)
            return found

    def _asked(self, text: bytes, digest: str) -> Inspection:
        with self._lock:
            self.scans += 1
        try:
            with self._process() as process:
                return decode(process.ask(text), digest)
        except Unfinished as error:
            reason = str(error)
        except Malformed as error:
            reason = f"its process answered nonsense: {error}"
        except OSError as error:
            reason = f"no process can be started for it: {error.strerror or error}"
        logger.warning("scans: the scan of {} did not finish: {}", digest[:12], reason)
        finding = make_finding("ORC008", "source", f"the scan did not finish: {reason}")
        return Inspection(digest, (finding,), (), finished=False)

    @contextlib.contextmanager
    def _process(self) -> Iterator[ScanProcess]:
        """A process for one question. After anything but an answer, and when it is worn, another takes its place."""
        process = self._taken() or self._started_or_error()
        whole = False
        try:
            yield process
            whole = not process.worn()
        finally:
            if whole:
                self._keep(process)
            else:
                self._end(process)
                self._keep(self._started())

    def _taken(self) -> ScanProcess | None:
        """One that is idle and alive."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                process = self._idle.pop()
            if process.usable():
                return process
            self._end(process)

    def _started_or_error(self) -> ScanProcess:
        """Raises OSError."""
        process = ScanProcess(self._limits)
        with self._lock:
            self._all.add(process)
        return process

    def _started(self) -> ScanProcess | None:
        """None, and a line in the log, where that is not possible; or not wanted any more."""
        if self._closed:
            return None
        try:
            return self._started_or_error()
        except OSError as error:
            logger.warning("scans: no process can be started: {}", error)
            return None

    def _keep(self, process: ScanProcess | None) -> None:
        if process is None:
            return
        with self._lock:
            if not self._closed:
                self._idle.append(process)
                return
        self._end(process)

    def _end(self, process: ScanProcess) -> None:
        process.end()
        with self._lock:
            self._all.discard(process)

    # --- the end ---------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the idle processes; those at work end with their scan. ``inspect`` still answers, at the price of a
        process for each text. Idempotent."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for process in idle:
            self._end(process)

    def after_fork_in_child(self) -> None:
        """The processes are the parent's, and locks may be held by threads that do not exist here."""
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_PROCESSES)
        self._memory.after_fork_in_child()
        for process in self._all:
            process.forget_in_child()
        self._idle.clear()
        self._all.clear()

    def __enter__(self) -> Scanner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _end_all(processes: set[ScanProcess]) -> None:
    for process in processes:
        process.end()


@functools.cache
def _default() -> Scanner:
    return Scanner()


def inspect(skill: SkillManifest) -> Inspection:
    """``Scanner.inspect`` by a scanner of this process that keeps nothing on disk."""
    return _default().inspect(skill)
