"""Secrets in a JSON value: found over all its keys, strings and numbers at once, so that one in pieces is found too;
taken out so that objects stay objects and lists stay lists."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.outputs.hits import Hit
from orchestrator.outputs.secrets import WITHHELD, Detector, findings
from orchestrator.validation.finding import Finding

_PASSES: Final = 3
_FINDINGS: Final = 50  # reported; all are taken out


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A key, string or number."""

    path: tuple[str, ...]
    text: bytes
    is_text: bool = True
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    """Leaves one after another, as bytes to search in. ``starts``: where each one begins."""

    leaves: list[int]  # their numbers
    starts: list[int]
    blob: bytes

    @classmethod
    def of(cls, leaves: Sequence[_Leaf], numbers: list[int]) -> _Row:
        starts, place = [], 0
        for number in numbers:
            starts.append(place)
            place += len(leaves[number].text) + 1
        return cls(numbers, starts, b"\n".join(leaves[number].text for number in numbers))

    def at(self, place: int) -> int:
        return bisect_right(self.starts, place) - 1


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[_Leaf]:
    """In document order; as deep as the parser let the document be."""
    if isinstance(value, str):
        yield _Leaf(path, value.encode("utf-8", "surrogatepass"))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield _Leaf(path, key.encode("utf-8", "surrogatepass"), is_key=True)
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, str(index)))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield _Leaf(path, str(value).encode(), is_text=False)


def screened(value: Any, detector: Detector) -> tuple[Any, list[Finding], list[Finding]]:
    """The value without secrets, and the same findings as warnings and as errors. Without any, ``value`` itself."""
    warnings: list[Finding] = []
    errors: list[Finding] = []
    for _ in range(_PASSES):
        leaves = list(_leaves(value))
        found = list(_found(leaves, detector))
        if not found:
            return value, warnings, errors
        for hit, row in found[: max(0, _FINDINGS - len(warnings))]:
            place = _place(leaves[row.leaves[row.at(hit.start)]].path, detector)
            warnings += findings([hit], place, warning=True)
            errors += findings([hit], place, warning=False)
        if any(hit.rule == "OUT103" for hit, _ in found):
            break
        pieces = _pieces(found, leaves)
        value = _rebuilt(value, iter([pieces.get(number) for number in range(len(leaves))]))
    return WITHHELD, warnings, errors


def _found(leaves: Sequence[_Leaf], detector: Detector) -> Iterator[tuple[Hit, _Row]]:
    """Hits in all leaves in a row, and the known values that only show without the keys between."""
    everything = _Row.of(leaves, list(range(len(leaves))))
    seen: set[tuple[int, int]] = set()
    for hit in detector.find(everything.blob):
        first = everything.at(hit.start)
        seen.add((everything.leaves[first], hit.start - everything.starts[first]))
        yield hit, everything
    values = [number for number, leaf in enumerate(leaves) if not leaf.is_key]
    if detector.known and len(values) < len(leaves):
        row = _Row.of(leaves, values)
        for hit in detector.find_known(row.blob):
            first = row.at(hit.start)
            if (row.leaves[first], hit.start - row.starts[first]) not in seen:
                yield hit, row


def _place(path: Sequence[str], detector: Detector) -> str:
    """``output`` and a JSON pointer (RFC 6901), or no pointer where keys on the way hold a secret."""
    if detector.find("\n".join(path).encode("utf-8", "surrogatepass")):
        return "output"
    return "output" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _pieces(found: Sequence[tuple[Hit, _Row]], leaves: Sequence[_Leaf]) -> dict[int, Any]:
    """Leaf number -> what stands there now. A hit over several leaves leaves its marker in the first."""
    cuts: dict[int, list[tuple[int, int, str]]] = {}
    for hit, row in found:
        index, marker = row.at(hit.start), hit.marker
        while index < len(row.leaves) and row.starts[index] < hit.end:
            number, start = row.leaves[index], row.starts[index]
            first, last = max(0, hit.start - start), min(len(leaves[number].text), hit.end - start)
            if last > first:
                cuts.setdefault(number, []).append((first, last, marker))
                marker = ""
            index += 1
    return {number: _cut(leaves[number], places) for number, places in cuts.items()}


def _cut(leaf: _Leaf, places: Sequence[tuple[int, int, str]]) -> Any:
    if not leaf.is_text:
        return ""  # anything but None: the number becomes null
    text, last = b"", 0
    for first, end, marker in sorted(places):
        text += leaf.text[last:first] + marker.encode()
        last = max(last, end)
    return (text + leaf.text[last:]).decode("utf-8", "replace")


def _rebuilt(value: Any, pieces: Iterator[Any]) -> Any:
    """``value`` with the pieces put in. Each leaf takes the next piece, in the order of ``_leaves``."""
    if isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for key, inner in value.items():
            piece = next(pieces)
            made[_unused(key if piece is None else piece, made)] = _rebuilt(inner, pieces)
        return made
    if isinstance(value, list):
        return [_rebuilt(inner, pieces) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    piece = next(pieces)
    return value if piece is None else piece if isinstance(value, str) else None


def _unused(key: str, taken: Mapping[str, Any]) -> str:
    number, found = len(taken) + 1 if key in taken else 2, key
    while found in taken:
        found, number = f"{key} {number}", number + 1
    return found


def with_strings(value: Any, change: Callable[[str], str]) -> Any:
    """The same value with each string and key put through ``change``."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for key, inner in value.items():
            made[_unused(change(key), made)] = with_strings(inner, change)
        return made
    return [with_strings(inner, change) for inner in value] if isinstance(value, list) else value
