"""Which parts of a Markdown note are code, and so show what they hold instead of acting on it.

Programs that show notes differ, and a note may be written to exploit that: what is code to one is markup to another. So
text counts as code only where all must agree; where there is doubt it does not, and is looked at. In detail:

* a fence counts only at the start of a line (in a list or quote, its end depends on what follows), and only where
  nothing before it may have swallowed one: an HTML block, ``<!--``, ``%%`` or ``$$`` with a fence in it ends all
  certainty, and nothing behind it counts;
* a code span counts only within one line, if in its paragraph each line's backticks pair up by themselves, and nothing
  stood before it in the paragraph that may bind tighter: ``<``, ``$``, ``%%``, ``|``, ``[[``, a link's address, a
  backslash at the backtick;
* indented code does not count.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_FENCE: Final = re.compile(rb"(`{3,}|~{3,})[ \t]*([^\n]*)")
_CLOSING: Final = re.compile(rb" {0,3}(`{3,}|~{3,})[ \t\r]*\Z")
_SWALLOWS: Final = re.compile(
    rb"<!--|<!\[CDATA\[|<\?|<![A-Za-z]|%%|\$\$|(?i:^[ \t>*+.)\d-]{0,20}<(?:script|pre|style|textarea|/?[a-z]))"
)
_RAW_END: Final = re.compile(rb"(?i)</(?:script|pre|style|textarea)>")
_BLANK: Final = re.compile(rb"^[ \t\r]*$")
_PREFIX: Final = b" \t>*+.)-0123456789"
# What opens something that is no Markdown inside -> what ends it.
_ENDS: Final = (
    (b"<!--", re.compile(rb"-->")), (b"<![cdata[", re.compile(rb"\]\]>")), (b"<?", re.compile(rb"\?>")),
    (b"<!", re.compile(rb">")), (b"%%", re.compile(rb"%%")), (b"$$", re.compile(rb"\$\$")),
    *((each, _RAW_END) for each in (b"<script", b"<pre", b"<style", b"<textarea")), (b"<", _BLANK),
)  # fmt: skip
_ANY_FENCE: Final = re.compile(rb"(?m)^[ \t>*+.)\d-]*(?:```|~~~)")
_FRONT_MATTER: Final = re.compile(rb"(?:\xef\xbb\xbf)?---[ \t\r]*\n(?:[^\n]*\n)*?(?:---|\.\.\.)[ \t\r]*(?:\n|\Z)")
_BACKTICKS: Final = re.compile(rb"`+")
_BINDS: Final = (b"<", b"$", b"%%", b"|", b"[[", b"](", b"]:", b"\\")


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open, in bytes. ``sure``: code to everybody."""

    start: int
    end: int
    sure: bool


@dataclass(frozen=True, slots=True)
class Code:
    """``fences`` are those that count; ``spans`` are all code spans outside of them."""

    fences: tuple[Span, ...]
    spans: tuple[Span, ...]

    def covers(self, place: int) -> bool:
        """Whether what begins at ``place`` is code to everybody."""
        return _covers(self.fences, place) or _covers(self.spans, place)

    def fenced(self, place: int) -> bool:
        return _covers(self.fences, place)


def front_matter(note: bytes) -> int:
    """Where the note's body begins: 0, or behind the line that ends its front matter."""
    found = _FRONT_MATTER.match(note)
    return found.end() if found else 0


def _covers(spans: Sequence[Span], place: int) -> bool:
    index = bisect_right(spans, place, key=lambda span: span.start) - 1
    return index >= 0 and spans[index].sure and place < spans[index].end


def code_in(note: bytes) -> Code:
    fences = tuple(_fences(note))
    spans: list[Span] = []
    last = 0
    for fence in fences:
        spans += _spans(note, last, fence.start)
        last = fence.end
    return Code(fences, (*spans, *_spans(note, last, len(note))))


def _lines(note: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    for line in note.split(b"\n"):
        yield place, line
        place += len(line) + 1


def _fences(note: bytes) -> Iterator[Span]:
    """From the opening line to the end of the closing one, or of the note."""
    start, mark, body = -1, b"", front_matter(note)
    swallowed_until: re.Pattern[bytes] | None = None
    if _ANY_FENCE.search(note[:body]):
        return  # who knows no front matter sees a fence begin in it
    for place, line in _lines(note):
        if place < body:
            continue
        if start >= 0:
            closing = _CLOSING.match(line)
            if closing and closing[1].startswith(mark):
                yield Span(start, place + len(line), sure=True)
                start = -1
        elif swallowed_until is not None or _SWALLOWS.search(line):
            swallowed_until = _swallowing(line, swallowed_until)
            if _ANY_FENCE.search(line):
                return
        elif (found := _FENCE.match(line)) and not (found[1][:1] == b"`" and b"`" in found[2]):
            start, mark = place, found[1]
    if start >= 0:
        yield Span(start, len(note), sure=True)


def _swallowing(line: bytes, until: re.Pattern[bytes] | None) -> re.Pattern[bytes] | None:
    """What ends that in which ``line`` leaves its reader; ``until`` is what ended that in which it began."""
    place = 0
    while True:
        if until is not None:
            closing = until.search(line, place)
            if closing is None:
                return until
            place, until = closing.end(), None
        opening = _SWALLOWS.search(line, place)
        if opening is None:
            return None
        place = opening.end()
        until = next(end for start, end in _ENDS if opening[0].lstrip(_PREFIX).lower().startswith(start))


def _spans(note: bytes, start: int, end: int) -> Iterator[Span]:
    paragraph: list[tuple[int, bytes]] = []
    for place, line in _lines(note[start:end]):
        if line.strip():
            paragraph.append((start + place, line))
        elif paragraph:
            yield from _paragraph(paragraph)
            paragraph = []
    yield from _paragraph(paragraph)


def _paragraph(lines: Sequence[tuple[int, bytes]]) -> Iterator[Span]:
    if not any(b"`" in line for _, line in lines):
        return
    paired = [(place, line, *_pairs(line)) for place, line in lines]
    sure = all(balanced for _, _, _, balanced in paired)
    for place, line, pairs, _ in paired:
        last = 0
        for begin, end in pairs:
            sure = sure and not any(each in line[last:begin] for each in _BINDS)
            yield Span(place + begin, place + end, sure and b"|" not in line[begin:end])
            last = end
        sure = sure and not any(each in line[last:] for each in _BINDS)


def _pairs(line: bytes) -> tuple[list[tuple[int, int]], bool]:
    """Code spans of a line alone, leftmost first, and whether no backtick is left over."""
    runs = [(match.start(), match.end()) for match in _BACKTICKS.finditer(line)]
    by_length: dict[int, list[int]] = {}
    for index in range(len(runs) - 1, -1, -1):
        by_length.setdefault(runs[index][1] - runs[index][0], []).append(index)
    found, balanced, index = [], True, 0
    while index < len(runs):
        same = by_length[runs[index][1] - runs[index][0]]
        while same and same[-1] <= index:
            same.pop()
        if same:
            found.append((runs[index][0], runs[same[-1]][1]))
            index = same[-1] + 1
        else:
            balanced, index = False, index + 1
    return found, balanced
