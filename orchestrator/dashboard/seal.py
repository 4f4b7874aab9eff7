"""The last line between the markers: when and by whom the text above it was written, and a checksum of both.

So whoever reads the file can tell whether it is as an orchestrator left it, and whose business it is; it is not there
to tell who is to be trusted: whoever may write the file can write such a line. Pure.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

_DIGITS: Final = 16
_LINE: Final = re.compile(r"<!-- at ([0-9]{1,12}) by ([0-9a-f]{0,16})/([0-9a-f]{0,16}) sum ([0-9a-f]{16}) -->\n\Z")


@dataclass(frozen=True, slots=True)
class Writer:
    """``state``: the id of its state directory. ``instance``: the orchestrator; "" for a command that wrote once."""

    state: str = ""
    instance: str = ""


@dataclass(frozen=True, slots=True)
class Seal:
    """``at``: Unix seconds. ``whole``: the text is as it was written."""

    at: int
    writer: Writer
    whole: bool


def sealed(text: str, at: int, writer: Writer) -> str:
    """``text`` (lines that end in LF) with its seal as the last line."""
    return f"{text}<!-- {_about(at, writer)} sum {_sum(text, at, writer)} -->\n"


def seal_of(body: str) -> Seal | None:
    """Of what stands between the markers (lines that end in LF); None where it has none."""
    found = _LINE.search(body)
    if found is None:
        return None
    at, writer = int(found[1]), Writer(found[2], found[3])
    return Seal(at, writer, found[4] == _sum(body[: found.start()], at, writer))


def _about(at: int, writer: Writer) -> str:
    return f"at {at} by {writer.state}/{writer.instance}"


def _sum(text: str, at: int, writer: Writer) -> str:
    whole = f"{_about(at, writer)}\n{text}".encode("utf-8", "backslashreplace")
    return hashlib.sha256(whole).hexdigest()[:_DIGITS]
