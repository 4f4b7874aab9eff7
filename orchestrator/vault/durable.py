"""Renames that say what they found: the two that a commit is made of, by renameat2(2), with a fallback.

``exchange`` swaps two entries in one step, so that a name is never missing and what it named before can be examined
after the fact, when nobody else can reach it any more. ``move`` never replaces anything.
"""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache
from typing import Any

from orchestrator.vault.descriptors import lstat

_NOREPLACE, _EXCHANGE = 1, 2  # <linux/fs.h>
# Kernels and file systems without the flags (NFS, some FUSE) answer with one of these.
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})

Place = tuple[int, bytes]  # a directory's descriptor and a name in it


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
    aside = (source[0], source[1] + b".aside")
    move(target, aside)
    try:
        move(source, target)
    except OSError:
        move(aside, target)
        raise
    move(aside, source)


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
