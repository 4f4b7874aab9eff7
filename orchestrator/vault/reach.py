"""``Reach``: gets to a path of the vault one plain directory at a time, so that nothing leads out of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.vault.descriptors import DIRECTORY, lstat, open_directory
from orchestrator.vault.durable import Place
from orchestrator.vault.rules import ChangesRefused, finding


class ParentGone(ChangesRefused):
    """There is no such directory, or a file in its place; not a link that leads elsewhere."""


class Reach:
    """``root`` is a descriptor of the vault that stays the caller's, ``device`` its ``st_dev``."""

    def __init__(self, root: int, device: int) -> None:
        self._root, self._device = root, device

    @contextmanager
    def parent(self, path: str) -> Iterator[Place]:
        """The directory of ``path``, reached one plain directory at a time, and the last name (as UTF-8)."""
        *parents, name = path.split("/")
        descriptor = os.open(".", DIRECTORY, dir_fd=self._root)
        try:
            for part in filter(None, parents):
                below = self._below(part.encode(), descriptor, path)
                os.close(descriptor)
                descriptor = below
            yield descriptor, name.encode()
        finally:
            os.close(descriptor)

    def _below(self, name: bytes, parent: int, path: str) -> int:
        try:
            below = open_directory(name, parent)
        except OSError as error:
            if error.errno in {errno.ENOTDIR, errno.ELOOP, errno.ENOENT}:
                kind = ParentGone if error.errno == errno.ENOENT or self._is_file(name, parent) else ChangesRefused
                raise kind((finding("VLT302", path),)) from error
            raise
        if os.fstat(below).st_dev != self._device:
            os.close(below)
            raise ChangesRefused((finding("VLT113", path),))
        return below

    @staticmethod
    def _is_file(name: bytes, parent: int) -> bool:
        entry = lstat(name, parent)
        return entry is not None and stat.S_ISREG(entry.st_mode)
