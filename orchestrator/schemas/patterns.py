"""Regular expressions that strangers wrote, on text that strangers wrote: RE2 only, never ``re``.

RE2 has no backtracking, so matching is linear in the text. What is left to bound is the size of the compiled program,
which multiplies that linear cost: its memory is capped, and ``cost`` tells the work budget what a search may take.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import re2  # type: ignore[import-untyped]  # google-re2 ships no annotations

MAX_PATTERN_CHARACTERS: Final = 1000
_PROGRAM_BYTES: Final = 512 * 1024  # compiles within 5 ms or is refused (measured, re2 1.1.20251105)
_STEPS_PER_UNIT: Final = 2000  # instructions x bytes that RE2's slow engine does in the time of one work unit


class PatternError(ValueError):
    """RE2 refuses the pattern. The message says why and what would do instead."""


class Pattern:
    """A compiled pattern, found anywhere in the text unless it is anchored (as JSON Schema's ``pattern`` is)."""

    __slots__ = ("_program", "_size")

    def __init__(self, source: str) -> None:
        options = re2.Options()
        options.log_errors = False  # RE2 would write to our stderr
        options.never_capture = True
        options.max_mem = _PROGRAM_BYTES
        try:
            self._program = re2.compile(source, options)
        except re2.error as error:
            raise PatternError(_reason(error)) from None
        self._size: int = self._program.programsize

    def found_in(self, text: str) -> bool:
        return self._program.search(text) is not None

    def first_in(self, text: str) -> str:
        """The first match, "" for none (and for an empty one)."""
        match = self._program.search(text)
        return "" if match is None else str(match.group(0))

    def cost(self, text: str) -> int:
        """Work units (see ``keywords``) that a search of ``text`` takes at worst."""
        return 1 + len(text) * self._size // _STEPS_PER_UNIT


def _reason(error: Exception) -> str:
    cause = error.args[0] if error.args else ""
    message = cause.decode("utf-8", "replace") if isinstance(cause, bytes) else str(cause)
    if "too large" in message:
        return f"RE2 refuses it ({message}): use maxLength instead of large repetitions"
    return f"RE2 refuses it ({message}): look-around and back-references are not supported"


@lru_cache(maxsize=256)
def compile_pattern(source: str) -> Pattern:
    """``source`` in RE2 syntax, or ``PatternError``. Cached; safe from any thread."""
    if len(source) > MAX_PATTERN_CHARACTERS:
        raise PatternError(f"it is longer than {MAX_PATTERN_CHARACTERS} characters")
    return Pattern(source)
