"""Filling a slot of the copy view: the granted part of the vault, copied in at lease time.

Only regular files and directories; links and special files of the vault are neither followed nor copied, only noted
(so that a skill which puts something in their place is refused). What was copied is recorded as the run's "before".
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from orchestrator.errors import VaultError
from orchestrator.vault.baseline import CopiedDirectory, Known, kind_of
from orchestrator.vault.changes import Identity
from orchestrator.vault.check import Pattern
from orchestrator.vault.descriptors import chunks, lstat, names, open_directory, open_file, opened
from orchestrator.vault.names import protected_key
from orchestrator.vault.root import HIDDEN
from orchestrator.vault.scope import Access, Scope
from orchestrator.vault.staging import write_all

_DIRECTORY_MODE = {"write": 0o700, "read": 0o500, "path": 0o500}
_FILE_MODE = {"write": 0o600, "read": 0o400}


@dataclass(frozen=True, slots=True)
class CopyQuotas:
    """How much of a vault may be copied for one run; the copy view is for small grants."""

    entries: int = 20_000
    total_bytes: int = 512 * 2**20


@dataclass(slots=True)
class _Pair:
    """A directory of the vault, its copy, and the record of both."""

    path: tuple[str, ...]
    source: int
    target: int
    record: CopiedDirectory
    access: Access
    waiting: list[str]  # subdirectories still to copy
    resources: ExitStack


class Copying:
    """One populating of one slot. ``owner`` is set on the copies when given (we are root). What matches a
    ``forbidden`` pattern is not copied, though a grant covers it."""

    def __init__(
        self,
        scope: Scope,
        device: int,
        owner: tuple[int, int] | None,
        quotas: CopyQuotas,
        forbidden: Sequence[str] = (),
    ) -> None:
        self._scope = scope
        self._forbidden = tuple(Pattern.parse(text) for text in forbidden)
        self._device = device
        self._owner = owner
        self._entries_left = quotas.entries
        self._bytes_left = quotas.total_bytes

    def run(self, source: int, target: int) -> CopiedDirectory:
        """Copy from the vault's root to the slot's view. ``VaultError`` when it is too much, or on I/O errors."""
        record = CopiedDirectory()
        stack: list[_Pair] = []
        access = self._scope.access(()) or "path"
        try:
            stack.append(self._pair((), os.dup(source), os.dup(target), record, access))
            while stack:
                if stack[-1].waiting:
                    stack.append(self._descend(stack[-1], stack[-1].waiting.pop()))
                else:
                    self._finish(stack.pop())
        except OSError as error:
            raise VaultError(f"the vault cannot be copied for a run: {error}", hint="check space and modes") from error
        finally:
            for pair in stack:
                pair.resources.close()
        return record

    def _pair(self, path: tuple[str, ...], source: int, target: int, record: CopiedDirectory, access: Access) -> _Pair:
        resources = ExitStack()
        resources.enter_context(opened(source))
        resources.enter_context(opened(target))
        pair = _Pair(path, source, target, record, access, [], resources)
        for name in self._names(pair):
            self._copy_entry(pair, name)
        return pair

    def _names(self, pair: _Pair) -> Iterator[str]:
        if pair.access == "path":
            yield from sorted(self._scope.next_steps(pair.path))
            return
        yield from (name for name in names(pair.source) if pair.path or name != HIDDEN)

    def _copy_entry(self, pair: _Pair, name: str) -> None:
        entry = lstat(name, pair.source)
        if entry is None:
            return
        self._entries_left -= 1
        if self._entries_left < 0:
            raise _too_much("entries")
        kind = kind_of(entry.st_mode)
        known = Known(kind, Identity.of(entry), entry.st_mode, foreign=entry.st_dev != self._device)
        access = self._scope.access((*pair.path, name))
        pair.record.entries[name] = replace(known, kind="other")
        if known.foreign or access is None or self._is_forbidden((*pair.path, name)):
            return
        if kind == "directory":
            pair.record.entries[name] = known
            pair.waiting.append(name)
        elif kind == "file" and access != "path":
            self._copy_file(pair, name, _FILE_MODE[access])

    def _is_forbidden(self, path: tuple[str, ...]) -> bool:
        folded = tuple(protected_key(part) for part in path)
        return any(pattern.matches(folded) for pattern in self._forbidden)

    def _copy_file(self, pair: _Pair, name: str, mode: int) -> None:
        try:
            source = open_file(name, pair.source)
        except PermissionError:
            return  # no note of ours to read: as absent as a link
        with opened(source):
            before = os.fstat(source)
            if kind_of(before.st_mode) != "file":
                return
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
            with opened(os.open(name, flags, 0o600, dir_fd=pair.target)) as target:
                pair.record.digests[name] = self._stream(source, target)
                self._dress(target, mode)
                os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
                copy = Identity.of(os.fstat(target))
        pair.record.entries[name] = Known("file", Identity.of(before), copy=copy)

    def _stream(self, source: int, target: int) -> str:
        digest = hashlib.sha256()
        for piece in chunks(source):
            self._bytes_left -= len(piece)
            if self._bytes_left < 0:
                raise _too_much("bytes")
            digest.update(piece)
            write_all(target, piece)
        return digest.hexdigest()

    def _descend(self, pair: _Pair, name: str) -> _Pair:
        path = (*pair.path, name)
        source = open_directory(name, pair.source)
        try:
            os.mkdir(name, 0o700, dir_fd=pair.target)
            target = open_directory(name, pair.target)
        except BaseException:
            os.close(source)
            raise
        record = pair.record.directories[name] = CopiedDirectory()
        return self._pair(path, source, target, record, self._scope.access(path) or "path")

    def _finish(self, pair: _Pair) -> None:
        """Hand the directory over once it is full: modes last, or we could not have filled it ourselves."""
        writable = pair.access == "write" or self._scope.leads_to_write(pair.path)
        with pair.resources:
            self._dress(pair.target, 0o700 if writable else _DIRECTORY_MODE[pair.access])

    def _dress(self, descriptor: int, mode: int) -> None:
        if self._owner is not None:
            os.fchown(descriptor, *self._owner)
        os.fchmod(descriptor, mode)


def _too_much(what: str) -> VaultError:
    return VaultError(
        f"the granted part of the vault has too many {what} to be copied for a run",
        hint="grant fewer directories, or use an engine on this machine with kernel 5.11 or later (overlay view)",
    )
