"""The place between the markers of a file that people edit as well. Pure: bytes to bytes.

Every byte outside of the two marker lines stays what it is. So nothing is decoded and written again; line ends are the
file's own, and what a person wrote after the end marker, or a missing last line end, is left as it was.
"""

from __future__ import annotations

import re
from typing import Final

BEGIN: Final = "<!-- skill-orchestrator:begin -->"
END: Final = "<!-- skill-orchestrator:end -->"

_BOM: Final = b"\xef\xbb\xbf"
_ANY: Final = re.compile(rb"skill-orchestrator:(?:begin|end)", re.IGNORECASE)
# Linear: a fixed text at the begin of a line (or behind a byte order mark), then blanks up to the end of the line.
_LINE: Final = re.compile(
    rb"(?:^|(?<=\xef\xbb\xbf))<!-- skill-orchestrator:(begin|end) -->[ \t]*(?:\r?\n|\Z)", re.MULTILINE
)


class LeaveAlone(Exception):  # noqa: N818 - not a fault of ours: the file is not to be touched, and this says why
    """The file is not one that we may rewrite."""


def replaced(old: bytes, body: str) -> bytes:
    """``old`` with ``body`` (lines that end in LF) between the markers; with markers and body at its end where it has
    none. Raises ``LeaveAlone`` for what is not UTF-8 text, and for markers that are not one pair."""
    _require_text(old)
    found = _region(old)
    eol = _line_end(old)
    inner = body.replace("\n", eol.decode()).encode("utf-8", "backslashreplace")
    if found is not None:
        start, stop = found
        return old[:start] + inner + old[stop:]
    gap = b"" if not old.removeprefix(_BOM) else eol if old.endswith(b"\n") else eol + eol
    return old + gap + BEGIN.encode() + eol + inner + END.encode() + eol


def body_of(old: bytes) -> str | None:
    """What stands between the markers, its lines ending in LF; None for a file without, or one to be left alone."""
    try:
        _require_text(old)
        found = _region(old)
    except LeaveAlone:
        return None
    return None if found is None else old[found[0] : found[1]].decode().replace("\r\n", "\n")


def with_late(current: bytes, before: bytes, late: bytes) -> bytes:
    """``current`` with what somebody wrote into the former file, ``before``, after it was replaced: ``late``.

    Where nobody changed anything around the place since, that is ``late`` as it is. Else its lines around the place
    that neither of the others has go to the end of ``current``: nobody's words are lost, and none are taken away. What
    is no text says nothing.
    """
    try:
        _require_text(late)
        if not fault(late) and replaced(before, "") == replaced(current, ""):
            return late
        _require_text(current)
    except LeaveAlone:
        return current
    added = _lines_added(_around(late), {*current.splitlines(), *before.splitlines()})
    eol = _line_end(current)
    gap = eol if added and current.removeprefix(_BOM) and not current.endswith(b"\n") else b""
    return current + gap + b"".join(line + eol for line in added)


def _lines_added(late: bytes, known: set[bytes]) -> list[bytes]:
    return [line for line in late.splitlines() if line not in known and not _ANY.search(line)]


def _around(old: bytes) -> bytes:
    """All but what stands between the markers; all of it where they are not one pair."""
    try:
        found = _region(old)
    except LeaveAlone:
        found = None
    return old if found is None else old[: found[0]] + old[found[1] :]


def fault(old: bytes) -> str:
    """Why ``replaced`` would leave the file alone; "" when it would not."""
    try:
        _require_text(old)
        _region(old)
    except LeaveAlone as error:
        return str(error)
    return ""


def _require_text(old: bytes) -> None:
    if b"\0" in old:
        raise LeaveAlone("it is not text")
    try:
        old.decode("utf-8")
    except UnicodeDecodeError:
        raise LeaveAlone("it is not UTF-8") from None


def _region(old: bytes) -> tuple[int, int] | None:
    """Where the place between the marker lines begins and ends; None where there are no markers."""
    mentioned = len(_ANY.findall(old))
    if not mentioned:
        return None
    marks = list(_LINE.finditer(old))
    kinds = [mark[1] for mark in marks]
    if mentioned != len(marks):
        raise LeaveAlone("a marker of the dashboard does not stand alone on its line, as it was written")
    if kinds != [b"begin", b"end"]:
        raise LeaveAlone("the markers of the dashboard are not one begin and, below it, one end")
    return marks[0].end(), marks[1].start()


def _line_end(old: bytes) -> bytes:
    """As the file's first line ends."""
    at = old.find(b"\n")
    return b"\r\n" if at > 0 and old[at - 1 : at] == b"\r" else b"\n"
