"""Our own patterns on a skill's bytes: RE2, byte by byte. (In its usual UTF-8 mode, "." would stop at bytes that are
not UTF-8, and so would every detector.)"""

from __future__ import annotations

from typing import Any, Final

import re2  # type: ignore[import-untyped]  # google-re2 ships no annotations

_MEMORY: Final = 64 * 2**20  # bytes a program may take; only one of many known values comes near


def linear(pattern: bytes, *, memory: int = _MEMORY, captures: bool = True) -> Any:
    """``pattern`` in RE2 syntax, compiled; it never writes to our stderr, as RE2 likes to."""
    options = re2.Options()
    options.encoding, options.log_errors = re2.Options.Encoding.LATIN1, False
    options.max_mem, options.never_capture = memory, not captures
    return re2.compile(pattern, options)
