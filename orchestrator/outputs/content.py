"""The policy's hand on active content: what is new in a note is escaped, stripped, refused or only named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from orchestrator.outputs.active import ANY_TEXT, DETECTORS, Active, Edit, TooMuch, prepared
from orchestrator.outputs.rules import finding
from orchestrator.policy.outputs import ContentAction, ContentRules
from orchestrator.validation.finding import Finding

MAX_BYTES: Final = 2 * 2**20  # of a Markdown note; the longest novels are half as long
_MAX_FOUND: Final = 5000
_PASSES: Final = 3  # what an edit leaves may be active in another way


@dataclass(frozen=True, slots=True)
class Treated:
    """``text`` is what may be handed on; with ``refused``, nothing may."""

    text: bytes
    refused: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


def treated(
    text: bytes,
    rules: ContentRules,
    place: str,
    *,
    markdown: bool = True,
    former: Callable[[], bytes | None] | None = None,
) -> Treated:
    """Apply ``rules`` to ``text``. ``former`` gives what stood there before: what it holds already is the person's own
    and stays as it is. It is only asked for when something was found."""
    names = [name for name in (DETECTORS if markdown else ANY_TEXT) if getattr(rules, name) != "allow"]
    if markdown and len(text) > MAX_BYTES:
        return _unexamined(text, [getattr(rules, name) for name in names], place)
    try:
        return _passes(text, rules, place, names, former)
    except TooMuch:
        return _unexamined(text, [getattr(rules, name) for name in names], place)


def _passes(
    text: bytes, rules: ContentRules, place: str, names: list[str], former: Callable[[], bytes | None] | None
) -> Treated:
    warnings: dict[str, Finding] = {}
    for _ in range(_PASSES):
        new = _new(text, names, former)
        if refused := [name for name in new if getattr(rules, name) == "refuse"]:
            return Treated(text, tuple(_finding(name, place, new[name], "refuse") for name in refused))
        for name, here in new.items():
            warnings.setdefault(name, _finding(name, place, here, getattr(rules, name)))
        edits = [_edit(each, getattr(rules, name)) for name in new for each in new[name] if _edits(rules, name)]
        if not edits:
            return Treated(text, warnings=tuple(warnings.values()))
        text = _edited(text, edits)
    left = [name for name in _new(text, names, former) if _edits(rules, name)]
    return Treated(
        text,
        tuple(finding(DETECTORS[name][0], place, "it cannot be made harmless") for name in left),
        tuple(warnings.values()),
    )


def _edits(rules: ContentRules, name: str) -> bool:
    return getattr(rules, name) in ("escape", "strip")


def _unexamined(text: bytes, actions: list[ContentAction], place: str) -> Treated:
    """Where a rule would have to act, what cannot be looked at is refused."""
    strict = any(action != "warn" for action in actions)
    told = (finding("OUT211", place, warning=not strict),)
    return Treated(text, told if strict else (), () if strict else told)


def _found(text: bytes, names: Iterable[str]) -> dict[str, list[Active]]:
    code = prepared(text)
    if code is None:
        return {}
    found: dict[str, list[Active]] = {}
    for name in names:
        here = list(islice(DETECTORS[name][1](text, code), _MAX_FOUND + 1))
        if len(here) > _MAX_FOUND:
            raise TooMuch
        if here:
            found[name] = here
    return found


def _new(text: bytes, names: Iterable[str], former: Callable[[], bytes | None] | None) -> dict[str, list[Active]]:
    """What is active in ``text`` and was not, occurrence by occurrence, in what stood there before."""
    found = _found(text, names)
    before = former() if found and former is not None else None
    if not before or len(before) > MAX_BYTES:
        return found
    own = _found(before, found)
    fresh: dict[str, list[Active]] = {}
    for name, here in found.items():
        left = Counter(before[each.start : each.end] for each in own.get(name, ()))
        for each in here:
            if left[text[each.start : each.end]] > 0:
                left[text[each.start : each.end]] -= 1
            else:
                fresh.setdefault(name, []).append(each)
    return fresh


def _edit(each: Active, action: ContentAction) -> Edit:
    return each.strip if action == "strip" else each.escape


def _edited(text: bytes, edits: list[Edit]) -> bytes:
    """Of edits that overlap, the first; the others come in the next pass, if they are still needed."""
    pieces, last = [], 0
    for edit in sorted(set(edits), key=lambda each: (each.start, each.end)):
        if edit.start >= last:
            pieces += [text[last : edit.start], edit.text]
            last = max(edit.end, edit.start)
    return b"".join((*pieces, text[last:]))


_DONE: Final = {"escape": "shown as text", "strip": "removed", "warn": "left in", "refuse": "refused"}


def _finding(name: str, place: str, found: list[Active], action: ContentAction) -> Finding:
    times = f", {len(found)} times" if len(found) > 1 else ""
    return finding(DETECTORS[name][0], place, _DONE[action] + times, warning=action != "refuse")
