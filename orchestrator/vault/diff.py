"""Changes as text for whoever decides about them: a unified diff of one file, a list of changes.

Pure; no I/O. The content is a skill's, so two things are guaranteed whatever it holds: nothing in it acts on the
terminal or reads as a line that is ours, and the work is bounded (difflib alone is cubic at worst).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Any

from orchestrator.text import decode, escape_controls
from orchestrator.vault.changes import Change
from orchestrator.vault.names import shown

MAX_BYTES = 1_000_000  # of either side; above, the diff is not shown
MAX_LINES = 20_000

_BINARY_PREFIX_BYTES = 8000  # where a NUL makes content binary, as git has it
_MATCHED_LINES = 2_000  # of either side, without what is the same at both ends; above, one block replaces another
_MATCHED_WORK = 12_000_000  # steps of difflib (20 ns each) at worst; 2,000 lines that each come twice are just within
_MARKS = {"created": "+", "modified": "~", "deleted": "-"}

_Opcode = tuple[str, int, int, int, int]  # as difflib has them: tag, and the half-open ranges of lines before and after


def unified(path: str, before: bytes | None, after: bytes | None, *, moved_from: str = "") -> str:
    r"""The difference between two contents (None: no such file) of the file at ``path``, every line with its LF.

    "" when there is none. Controls, invisible characters and bytes that are not UTF-8 are shown as escapes (a CR as
    ``\r``), so the result is for reading, not for patch(1). Where the diff is not shown, a line says so.
    """
    if before == after and moved_from in {"", path}:
        return ""
    old = "/dev/null" if before is None else "a/" + escape_controls(moved_from or path, keep_newlines=False)
    new = "/dev/null" if after is None else "b/" + escape_controls(path, keep_newlines=False)
    return "".join(f"{line}\n" for line in (f"--- {old}", f"+++ {new}", *_body(before or b"", after or b"")))


def summary(changes: Iterable[Change]) -> str:
    """One line (with its LF) for each change. A directory's path ends in "/", which no file's can."""
    return "".join(f"{_summarised(change)}\n" for change in changes)


def _summarised(change: Change) -> str:
    line = f"{_MARKS[change.kind]} {shown(change.path)}"
    if change.directory:
        return line + "/"
    if change.kind != "created":
        return line
    moved = f", moved from {shown(change.moved_from)}" if change.moved_from else ""
    return f"{line} ({change.size} bytes{moved})"


def _body(before: bytes, after: bytes) -> Iterable[str]:
    if before == after:
        return ()
    sizes = f"{len(before)} -> {len(after)} bytes"
    if any(b"\0" in side[:_BINARY_PREFIX_BYTES] for side in (before, after)):
        return (f"binary content differs: {sizes}",)
    lines = before.count(b"\n"), after.count(b"\n")
    if max(len(before), len(after)) > MAX_BYTES or max(lines) > MAX_LINES:
        return (f"too large, the diff is not shown: {sizes}, {lines[0]} -> {lines[1]} lines",)
    return _hunks(_lines(before), _lines(after))


def _lines(content: bytes) -> list[bytes]:
    """The lines with their LF; only that ends one. The last may lack it."""
    *whole, rest = content.split(b"\n")
    return [line + b"\n" for line in whole] + ([rest] if rest else [])


class _Grouping(SequenceMatcher[str]):
    """difflib's grouping of opcodes into hunks with context, for opcodes made elsewhere."""

    def __init__(self, opcodes: list[_Opcode]) -> None:
        super().__init__()
        self._opcodes = opcodes

    def get_opcodes(self) -> list[_Opcode]:  # type: ignore[override]
        return self._opcodes


def _hunks(before: list[bytes], after: list[bytes]) -> Iterator[str]:
    for group in _Grouping(_opcodes(before, after)).get_grouped_opcodes():
        (_, before_start, _, after_start, _), (_, _, before_end, _, after_end) = group[0], group[-1]
        yield f"@@ -{_range(before_start, before_end)} +{_range(after_start, after_end)} @@"
        for tag, first, last, after_first, after_last in group:
            if tag == "equal":
                yield from (_line(" ", line) for line in before[first:last])
            else:
                yield from (_line("-", line) for line in before[first:last])
                yield from (_line("+", line) for line in after[after_first:after_last])


def _range(start: int, end: int) -> str:
    """Lines are counted from 1; an empty range names the line before it, and a range of one needs no length."""
    if end - start == 1:
        return str(start + 1)
    return f"{start + 1 if end > start else start},{end - start}"


def _line(sign: str, line: bytes) -> str:
    text = line.removesuffix(b"\n")
    ending = "" if len(text) < len(line) else "\n\\ No newline at end of file"
    return sign + escape_controls(decode(text, len(text))) + ending


def _opcodes(before: list[bytes], after: list[bytes]) -> list[_Opcode]:
    """Like difflib's. Lines are compared as the bytes they are: two that look alike when escaped still differ."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    last, after_last = len(before) - tail, len(after) - tail
    opcodes: list[_Opcode] = [("equal", 0, head, 0, head)] if head else []
    opcodes += (
        (tag, first + head, end + head, after_first + head, after_end + head)
        for tag, first, end, after_first, after_end in _matched(before[head:last], after[head:after_last])
    )
    return opcodes + ([("equal", last, len(before), after_last, len(after))] if tail else [])


def _common(before: list[bytes], after: list[bytes]) -> int:
    """How many lines are the same at the start."""
    shorter = min(len(before), len(after))
    return next((index for index in range(shorter) if before[index] != after[index]), shorter)


def _matched(before: list[bytes], after: list[bytes]) -> list[_Opcode]:
    """difflib's opcodes, or a single "replace" where those could take too long to find."""
    replaced: list[_Opcode] = [("replace", 0, len(before), 0, len(after))]
    if max(len(before), len(after)) > _MATCHED_LINES:
        return replaced
    numbers: dict[bytes, int] = {}  # comparing long lines again and again would be work that nothing bounds
    old, new = ([numbers.setdefault(line, len(numbers)) for line in side] for side in (before, after))
    matcher: Any = SequenceMatcher(None, old, new)  # Any: typeshed lacks ``b2j``, which is documented
    # Each of at most min(...) matches is found by visiting every line of ``old`` and every pair of like lines.
    visited = len(old) + sum(len(matcher.b2j.get(number, ())) for number in old)
    if visited * min(len(old), len(new)) > _MATCHED_WORK:
        return replaced
    return list(matcher.get_opcodes())
