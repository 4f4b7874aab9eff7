"""A file tree as a plain mapping, between tar archives and (for a moment) a directory.

Responsible for: reading an archive without trusting its member names, writing one that depends on nothing but the
content (sorted members, fixed times, owner 0:0), and writing a tree out so that its interpreter can be started.
Not responsible for which files belong into the image (contents.py).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from orchestrator.errors import ImageError

FIXED_TIME = 1735689600  # 2025-01-01T00:00:00Z: every file's time, so that a zip file made inside has a valid date


@dataclass(frozen=True, slots=True)
class Entry:
    kind: Literal["directory", "file", "link"]
    mode: int
    content: bytes = b""  # of a file
    target: str = ""  # of a symbolic link


Tree = dict[str, Entry]  # keys: relative POSIX paths without "." and ".." ("usr/bin/python3.13")


def directory(mode: int = 0o755) -> Entry:
    return Entry("directory", mode)


def file(content: bytes, *, executable: bool = False) -> Entry:
    """Read-only: nothing in the image is ever written to, whoever owns it."""
    return Entry("file", 0o555 if executable else 0o444, content)


def link(target: str) -> Entry:
    return Entry("link", 0o777, target=target)


def clean_path(name: str, archive: str) -> str:
    """The relative path that an archive member's name means. ``ImageError`` for one that leads out of the tree."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name:
        raise ImageError(f"{archive}: the member name {name!r} leads out of the archive; refused")
    return str(path)


def read_tar(source: Path) -> Tree:
    """Files, directories and symbolic links of a tar archive. Devices are left out: the engine makes its own."""
    tree: Tree = {}
    with tarfile.open(source) as archive:
        for member in archive:
            name = clean_path(member.name, source.name)
            executable = bool(member.mode & 0o111)
            if name == ".":
                continue
            if member.isdir():
                tree[name] = directory(member.mode & 0o1777)
            elif member.issym():
                tree[name] = link(member.linkname)
            elif member.isfile():
                content = archive.extractfile(member)
                tree[name] = file(content.read() if content else b"", executable=executable)
            elif member.islnk():
                tree[name] = tree[clean_path(member.linkname, source.name)]
    return tree


def with_parents(tree: Mapping[str, Entry]) -> Tree:
    """The tree with every directory that its paths imply."""
    complete: Tree = dict(tree)
    for name in tree:
        for parent in PurePosixPath(name).parents:
            if str(parent) != ".":
                complete.setdefault(str(parent), directory())
    return complete


def write_tar(tree: Mapping[str, Entry], out: IO[bytes]) -> None:
    """Write ``tree`` so that equal trees give equal bytes."""
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, entry in sorted(with_parents(tree).items()):
            member = tarfile.TarInfo(name)
            member.mode, member.mtime = entry.mode, FIXED_TIME
            if entry.kind == "directory":
                member.type = tarfile.DIRTYPE
            elif entry.kind == "link":
                member.type, member.linkname = tarfile.SYMTYPE, entry.target
            member.size = len(entry.content)
            archive.addfile(member, io.BytesIO(entry.content))


def write_directory(tree: Mapping[str, Entry], root: Path) -> None:
    """Write ``tree`` below the empty directory ``root``, symbolic links last: nothing is written through one."""
    order = {"directory": 0, "file": 1, "link": 2}
    for name, entry in sorted(with_parents(tree).items(), key=lambda item: (order[item[1].kind], item[0])):
        path = root / name
        if entry.kind == "directory":
            path.mkdir(exist_ok=True)
        elif entry.kind == "file":
            path.write_bytes(entry.content)
            path.chmod(entry.mode | 0o200)
        else:
            path.symlink_to(entry.target)
