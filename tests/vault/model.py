"""A file system in memory and one on disk that take the same operations, and what the one says a run has changed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from orchestrator.vault.changes import Change

Entries = Mapping[str, bytes | None]
"""Path to content; None is a directory."""


class FileSystem(Protocol):
    """What a skill may do to a vault. Each raises ``OSError``, and does nothing, where POSIX says it cannot be done."""

    def write(self, path: str, content: bytes) -> None: ...

    def append(self, path: str, content: bytes) -> None: ...

    def truncate(self, path: str, size: int) -> None: ...

    def unlink(self, path: str) -> None: ...

    def mkdir(self, path: str) -> None: ...

    def rmdir(self, path: str) -> None: ...

    def rmtree(self, path: str) -> None: ...

    def rename(self, path: str, to: str) -> None: ...

    def chmod(self, path: str, mode: int) -> None: ...

    def utime(self, path: str, time_ns: int) -> None: ...


Operation = tuple[Any, ...]
"""The name of one of ``FileSystem``'s methods, and its arguments."""


def done(system: FileSystem, operation: Operation) -> bool:
    """Whether ``operation`` could be done."""
    verb, *arguments = operation
    try:
        getattr(system, verb)(*arguments)
    except OSError:
        return False
    return True


class Model:
    """In memory. Knows no modes and no times: they are nothing that a run may change."""

    def __init__(self, entries: Entries) -> None:
        self.entries = dict(entries)

    def files(self) -> list[str]:
        return sorted(path for path, content in self.entries.items() if content is not None)

    def directories(self) -> list[str]:
        return sorted(path for path, content in self.entries.items() if content is None)

    def below(self, path: str) -> list[str]:
        return sorted(each for each in self.entries if each.startswith(path + "/"))

    def write(self, path: str, content: bytes) -> None:
        self._require(self._has_parent(path) and not self._is_directory(path))
        self.entries[path] = content

    def append(self, path: str, content: bytes) -> None:
        self.write(path, (self.entries.get(path) or b"") + content)

    def truncate(self, path: str, size: int) -> None:
        content = self.entries.get(path)
        self._require(content is not None)
        self.entries[path] = (content or b"")[:size].ljust(size, b"\0")

    def unlink(self, path: str) -> None:
        self._require(self.entries.get(path) is not None)
        del self.entries[path]

    def mkdir(self, path: str) -> None:
        self._require(self._has_parent(path) and path not in self.entries)
        self.entries[path] = None

    def rmdir(self, path: str) -> None:
        self._require(self._is_directory(path) and not self.below(path))
        del self.entries[path]

    def rmtree(self, path: str) -> None:
        self._require(self._is_directory(path))
        for each in [path, *self.below(path)]:
            del self.entries[each]

    def rename(self, path: str, to: str) -> None:
        self._require(path in self.entries and self._has_parent(to))
        if path == to:
            return
        self._require(not to.startswith(path + "/") and not self.below(to))
        self._require(to not in self.entries or self._is_directory(path) == self._is_directory(to))
        for each in [path, *self.below(path)]:
            self.entries[to + each.removeprefix(path)] = self.entries.pop(each)

    def chmod(self, path: str, mode: int) -> None:
        self._require(path in self.entries)

    def utime(self, path: str, time_ns: int) -> None:
        self._require(path in self.entries)

    def _is_directory(self, path: str) -> bool:
        return path in self.entries and self.entries[path] is None

    def _has_parent(self, path: str) -> bool:
        parent = path.rpartition("/")[0]
        return parent == "" or self._is_directory(parent)

    @staticmethod
    def _require(possible: bool) -> None:
        if not possible:
            raise OSError(errno.EINVAL, "impossible here")


class Disk:
    """A directory. ``copied``: how often a directory could not be renamed and was copied, as mv does."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.copied = 0

    def write(self, path: str, content: bytes) -> None:
        (self._root / path).write_bytes(content)

    def append(self, path: str, content: bytes) -> None:
        with (self._root / path).open("ab") as file:
            file.write(content)

    def truncate(self, path: str, size: int) -> None:
        os.truncate(self._root / path, size)

    def unlink(self, path: str) -> None:
        (self._root / path).unlink()

    def mkdir(self, path: str) -> None:
        (self._root / path).mkdir()

    def rmdir(self, path: str) -> None:
        (self._root / path).rmdir()

    def rmtree(self, path: str) -> None:
        shutil.rmtree(self._root / path)

    def rename(self, path: str, to: str) -> None:
        source, target = self._root / path, self._root / to
        try:
            source.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # the overlay renames no directory that has a lower one
            with suppress(FileNotFoundError):
                target.rmdir()
            shutil.copytree(source, target)
            shutil.rmtree(source)
            self.copied += 1

    def chmod(self, path: str, mode: int) -> None:
        (self._root / path).chmod(mode)

    def utime(self, path: str, time_ns: int) -> None:
        os.utime(self._root / path, ns=(time_ns, time_ns))


def entries_of(root: Path) -> Entries:
    return {str(each.relative_to(root)): None if each.is_dir() else each.read_bytes() for each in root.rglob("*")}


def differences(before: Entries, after: Entries) -> tuple[Change, ...]:
    """The change set that leads from ``before`` to ``after``, sorted as change sets are, its moves told."""
    found = []
    for path in sorted(before.keys() | after.keys()):
        was_file, is_file = before.get(path) is not None, after.get(path) is not None
        if was_file and is_file:
            found += [_file("modified", path, after)] if before[path] != after[path] else []
            continue
        if path in before and path in after and not was_file and not is_file:
            continue
        if path in before:
            found.append(Change("deleted", path, directory=not was_file))
        if path in after:
            found.append(_file("created", path, after) if is_file else Change("created", path, directory=True))
    origins = _origins(found, before, after)
    return tuple(
        replace(each, moved_from=origins.get(each.path, "")) if each.kind == "created" else each for each in found
    )


def _file(kind: Any, path: str, entries: Entries) -> Change:
    content = entries[path] or b""
    return Change(kind, path, len(content), hashlib.sha256(content).hexdigest())


def _origins(changes: list[Change], before: Entries, after: Entries) -> dict[str, str]:
    """Created file to deleted file: of each content the first to the first, by path. Empty files are all alike."""
    gone, come = defaultdict(list), defaultdict(list)
    for change in changes:
        if not change.directory and change.kind == "deleted":
            gone[before[change.path]].append(change.path)
        elif not change.directory and change.kind == "created":
            come[after[change.path]].append(change.path)
    return {to: path for content in come if content for to, path in zip(come[content], gone[content], strict=False)}
