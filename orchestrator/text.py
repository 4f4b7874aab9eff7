"""Untrusted text made safe to show: in a terminal, a log line, an error message.

Responsible for how text looks, not for what it says: no secret is filtered here, nothing is fenced for an LLM.
What is escaped, and why:

* C0 and C1 controls, ESC, DEL: terminals obey them (colours, titles, clipboard, cursor).
* CR and U+0085, U+2028, U+2029: they start a line for some reader, so one record could look like two.
* Bidirectional controls: they make text read in another order than it is stored (CVE-2021-42574).
* Zero-width, filler and tag characters: text nobody sees.
* Lone surrogates: they cannot be encoded, so they would break whoever prints them.

A backslash in the text is left alone: the result is for reading, it is not meant to be reversed.
"""

from __future__ import annotations

import codecs
import re

_UNSAFE_RANGES = (
    (0x00, 0x1F),  # C0
    (0x7F, 0x9F),  # DEL and C1
    (0xAD, 0xAD),  # soft hyphen
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x180E, 0x180E),  # Mongolian vowel separator
    (0x200B, 0x200F),  # zero-width characters, left-to-right and right-to-left marks
    (0x2028, 0x202E),  # line and paragraph separators, embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, isolates, deprecated format characters
    (0x3164, 0x3164),  # Hangul filler
    (0xD800, 0xDFFF),  # lone surrogates
    (0xFEFF, 0xFEFF),  # zero-width no-break space (BOM)
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF9, 0xFFFB),  # interlinear annotation
    (0xE0000, 0xE01EF),  # tags and the supplementary variation selectors
)
_CLASS = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in _UNSAFE_RANGES)
_UNSAFE = re.compile(f"[{_CLASS}]")
_UNSAFE_IN_LINES = re.compile(f"(?![\\n\\t])[{_CLASS}]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if named := _NAMED.get(character):
        return named
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def escape_controls(text: str, *, keep_newlines: bool = True) -> str:
    r"""``text`` with everything listed above shown as ``\x1b``, ``\u202e`` or ``\U000e0041``.

    ``keep_newlines`` keeps LF and TAB as they are (text of several lines); otherwise they are escaped too, and the
    result is one line. Applying it twice changes nothing more.
    """
    return (_UNSAFE_IN_LINES if keep_newlines else _UNSAFE).sub(_escape, text)


def one_line(text: str, limit: int) -> str:
    """``text`` as one safe line of at most ``limit`` (at least 1) characters, cut with an ellipsis. For logs."""
    if limit < 1:
        raise ValueError("limit must be at least 1")
    if len(text) <= limit and text.isascii() and text.isprintable():  # nearly all of them
        return text
    line = escape_controls(text[: limit + 1], keep_newlines=False)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def decode(raw: bytes, limit: int) -> str:
    r"""The first ``limit`` bytes as UTF-8; bytes that are not UTF-8 appear as ``\xff``. Never raises on any content.

    A character cut in two by ``limit`` is dropped. Controls are kept: escape them where the text is shown.
    """
    if limit < 0:
        raise ValueError("limit must not be negative")
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    return decoder.decode(raw[:limit], final=len(raw) <= limit)
