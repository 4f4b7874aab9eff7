"""Removing a tree that a sandbox has written: any mode, kind, depth and number of entries, and never a link followed.

Not recursive, and with two descriptors however deep the tree: a directory found inside is first moved up next to the
tree's top, where it is emptied in turn. So neither the stack nor the descriptor table nor PATH_MAX is a limit.
"""

from __future__ import annotations

import os
import secrets
import stat
from itertools import islice

from orchestrator.vault.descriptors import lstat, open_directory, opened, unlock

_BATCH = 1000  # names read at once; a directory may hold millions


def erase(name: str, parent: int) -> None:
    """Remove ``name`` in the directory ``parent``, whatever it is. Nothing there is success.

    Raises ``OSError`` for what the kernel refuses (another owner's files when we are not root, immutable files).
    ``parent`` must be a directory that only we write.
    """
    top = lstat(name, parent)
    if top is None:
        return
    if not stat.S_ISDIR(top.st_mode):
        os.unlink(name, dir_fd=parent)
        return
    doomed = [name]
    while doomed:
        directory = doomed.pop()
        _rmdir_after(directory, parent, doomed)


def _rmdir_after(directory: str, parent: int, doomed: list[str]) -> None:
    """Empty and remove one directory; subdirectories are moved into ``parent`` and added to ``doomed``."""
    entry = lstat(directory, parent)
    if entry is not None and entry.st_mode & 0o700 != 0o700 and entry.st_uid == os.geteuid():
        unlock(directory, parent, 0o700)
    try:
        os.rmdir(directory, dir_fd=parent)  # an empty one goes whoever owns it and whatever its mode
    except OSError:
        with opened(open_directory(directory, parent)) as descriptor:
            while batch := _batch(descriptor):
                for child, is_directory in batch:
                    _remove_or_move(child, is_directory, descriptor, parent, doomed)
        os.rmdir(directory, dir_fd=parent)


def _batch(descriptor: int) -> list[tuple[str, bool]]:
    with os.scandir(descriptor) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in islice(entries, _BATCH)]


def _remove_or_move(child: str, is_directory: bool, directory: int, parent: int, doomed: list[str]) -> None:
    if not is_directory:
        os.unlink(child, dir_fd=directory)
        return
    try:
        os.rmdir(child, dir_fd=directory)
    except OSError:
        entry = lstat(child, directory)
        if entry is not None and entry.st_mode & 0o700 != 0o700 and entry.st_uid == os.geteuid():
            unlock(child, directory, 0o700)  # moving a directory needs write permission on it
        moved = f"erase-{secrets.token_hex(8)}"
        os.rename(child, moved, src_dir_fd=directory, dst_dir_fd=parent)
        doomed.append(moved)
