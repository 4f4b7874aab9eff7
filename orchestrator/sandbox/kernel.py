"""What this host's kernel offers. Only meaningful for an engine that runs on the same kernel."""

from __future__ import annotations

import ctypes
import functools
from typing import Final

_LANDLOCK_CREATE_RULESET: Final = 444  # the same number on every architecture
_CREATE_RULESET_VERSION: Final = 1


@functools.cache
def landlock_abi() -> int:
    """The Landlock ABI version, 0 where there is none."""
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    version = syscall(
        ctypes.c_long(_LANDLOCK_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint32(_CREATE_RULESET_VERSION)
    )
    return max(0, int(version))
