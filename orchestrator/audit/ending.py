"""``Ending``: where the chain ends, noted in the anchor file and outside.

The file is forced to the disk every ``SYNC_SECONDS``, and at the end; where it cannot be written, no further run may
start.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from loguru import logger

from orchestrator.audit.anchors import THIN_BYTES, AnchorFile, Outside
from orchestrator.audit.chain import Head
from orchestrator.audit.key import Key, Keyring
from orchestrator.records.errors import RecordsError

SYNC_SECONDS: Final = 2.0
BEGUN: Final = "audit.anchors_begun"
REPLACED: Final = "audit.anchors_replaced"
_MOST_NEWS: Final = 100  # that wait to be put on record


@dataclass(frozen=True, slots=True)
class News:
    """An event of the trail about its own anchor file: it was begun though there were records, or a faulty one was
    replaced."""

    action: str
    facts: dict[str, int | str]


class Ending:
    """Thread-safe. ``keys`` gives the keyring as it is now; ``on_fault`` hears what could not be noted."""

    def __init__(
        self, file: AnchorFile, outside: Outside, keys: Callable[[], Keyring], on_fault: Callable[[str], None]
    ) -> None:
        self.file, self._outside, self._keys, self._on_fault = file, outside, keys, on_fault
        self._lock = threading.Lock()
        self._synced = 0.0  # monotonic; when the file was last forced to the disk
        self._missing: Head | None = None  # what could not be noted
        self._news: deque[News] = deque(maxlen=_MOST_NEWS)

    def note(self, head: Head, *, sync: bool = False) -> None:
        """A failure is logged and remembered: the next run does not start."""
        keys = self._keys()
        key = keys.need(head.key_id)
        with self._lock:
            now = time.monotonic()
            sync = sync or now - self._synced >= SYNC_SECONDS
            try:
                self._append(key, head, sync=sync)
                if sync:
                    self._synced = now
                    if self.file.size() > THIN_BYTES:
                        self._thin(keys, key, 0)
            except RecordsError as error:
                self._missing = head
                fault = f"the audit trail's end was not noted: {error}"
            else:
                self._missing, fault = None, ""
        if fault:
            logger.error("{}", fault)
            self._on_fault(fault)
        elif head.seq:  # there is something to tell
            self._outside.tell(key, head)

    def _append(self, key: Key, head: Head, *, sync: bool) -> None:
        if self.file.append(key, head, sync=sync):
            self._news.append(News(BEGUN, {"from": head.seq}))

    def _thin(self, keys: Keyring, key: Key, first: int) -> None:
        replaced = self.file.thin(keys, key, first)
        if replaced is not None:
            self._news.append(News(REPLACED, {"faults": replaced.faults, "kept_as": replaced.aside}))

    def require(self) -> None:
        """Note what could not be noted before. ``RecordsError``: it still cannot be."""
        if self._missing is None:
            return
        with self._lock:
            head = self._missing
            if head is not None:
                self._append(self._keys().need(head.key_id), head, sync=True)
                self._missing = None

    def is_told(self, head: Head) -> bool:
        """Whether the command and syslog know of that end. There may be neither."""
        return not self._outside or self._outside.told == head

    def tell(self, head: Head) -> None:
        """Outside alone, and not within a minute after the last time."""
        self._outside.tell(self._keys().need(head.key_id), head)

    def thin(self, head: Head, first: int) -> None:
        """Forget the anchors of records before ``first``, which were pruned."""
        keys = self._keys()
        self._thin(keys, keys.need(head.key_id), first)

    def news(self) -> list[News]:
        """What became of the file since it was asked, to be put on record."""
        found: list[News] = []
        while self._news:
            found.append(self._news.popleft())
        return found

    def again(self, news: list[News]) -> None:
        """They could not be put on record."""
        self._news.extend(news)

    def close(self, head: Head) -> None:
        """On the disk, and outside when that is asked for."""
        self.note(head, sync=True)
        if head.seq:
            self._outside.tell(self._keys().need(head.key_id), head, now=True)

    def after_fork_in_child(self) -> None:
        self._lock = threading.Lock()
        self._outside.after_fork_in_child()
