"""What a transaction does to a disk: renames that say what they found, by renameat2(2) with a fallback, and syncing.

``exchange`` swaps two entries in one step, so that a name is never missing and what it named before can be examined
after the fact, when nobody else can reach it any more. ``move`` never replaces anything.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any

from orchestrator import forks
from orchestrator.vault.descriptors import lstat

_NOREPLACE, _EXCHANGE = 1, 2  # <linux/fs.h>
# Kernels and file systems without the flags (NFS, some FUSE) answer with one of these.
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})

_ASIDE = b".aside"

Place = tuple[int, bytes]  # a directory's descriptor and a name in it


def _nothing(point: str) -> None:
    """No fault."""


# Called with the name of each point at which a crash or a fault of the disk would matter, just before it is passed.
# Tests put a function here that ends the process or raises.
reached: Callable[[str], None] = _nothing


def move(source: Place, target: Place) -> None:
    """Rename ``source`` to ``target``, which must not exist (``FileExistsError``)."""
    if _renameat2(source, target, _NOREPLACE):
        return
    if lstat(target[1], target[0]) is not None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(source[1], target[1], src_dir_fd=source[0], dst_dir_fd=target[0])


def exchange(source: Place, target: Place) -> None:
    """Swap two existing entries. Where the file system cannot, by three renames: the name is missing for a moment."""
    if _renameat2(source, target, _EXCHANGE):
        return
    aside = (source[0], source[1] + _ASIDE)
    move(target, aside)
    reached("exchange: one moved aside")
    try:
        move(source, target)
    except OSError:
        move(aside, target)
        raise
    reached("exchange: other in place")
    move(aside, source)


def settle_exchange(source: Place, target: Place) -> None:
    """Finish or take back the ``exchange`` of these two that a crash cut in pieces, where it took three renames."""
    with suppress(FileNotFoundError):
        aside = (source[0], source[1] + _ASIDE)
        if lstat(aside[1], aside[0]) is not None:
            with suppress(FileExistsError):  # somebody has put something there since
                move(aside, source if lstat(source[1], source[0]) is None else target)


class _Thread:
    """One thread that waits for the disk while the caller goes on. Made when first needed, anew in a forked child."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        forks.watch(self)

    def submit(self, action: Callable[[], None]) -> Future[None]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="sync")
        return self._pool.submit(action)

    def after_fork_in_child(self) -> None:
        self._pool = None


@cache
def _thread() -> _Thread:
    return _Thread()


def behind(action: Callable[[], None]) -> Callable[[], None]:
    """Begin ``action``, which waits for the disk; the function that is returned waits for its end and raises what it
    raised. Two syncs at once take little longer than one: a journaling file system puts both into one transaction."""
    try:
        return _thread().submit(action).result
    except RuntimeError:  # the interpreter is on its way out, or no thread can be had
        return action


def sync_file_system(descriptor: int) -> None:
    """Put everything of the file system of ``descriptor`` on disk: for many files one call is quicker than one each."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@cache
def _function() -> Any:
    library = ctypes.CDLL(None, use_errno=True)
    try:
        function = library.renameat2  # glibc 2.28, musl 1.2.4
    except AttributeError:
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    function.restype = ctypes.c_int
    return function


def _renameat2(source: Place, target: Place, flags: int) -> bool:
    """False when flags are not supported here; ``OSError`` for every other failure."""
    function = _function()
    if function is None:
        return False
    if function(*source, *target, flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number))
