r"""JSON from untrusted places, parsed strictly; and one canonical form of it, for digests.

``json.loads`` accepts NaN, 1e999 (as infinity), duplicate keys (the last wins) and lone surrogates (which break a later
``encode``), and ends in ``RecursionError`` on 2,000 nested arrays. ``loads`` refuses all of these with one exception
type. Size, depth and number of values are bounded before the parser sees the document, by scans that are linear in its
size, so a hostile document costs no more than an honest one of its length.

Not responsible for what a document means: that is ``orchestrator.schemas``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Final, NoReturn

from orchestrator.text import one_line

MAX_INTEGER_DIGITS: Final = 308
"""Every integer of so many digits converts to a double (the largest is 1.8e308), which other readers of JSON rely on,
and stays far below the 4,300 digits at which Python itself refuses."""

MAX_NODES: Final = 1_000_000
"""Values in one document, unless the caller says less. The costliest (empty objects) take about 70 bytes each."""

_BOM: Final = b"\xef\xbb\xbf"
_OPEN: Final = b"[{"
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b"[]{},"))
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # also matches an unterminated one: stays linear
_STRING_OR_BRACKET: Final = re.compile(_STRING.pattern + rb"|[\[\]{}]", re.DOTALL)
_STEP: Final = [0] * 256
for _byte in b"[{":
    _STEP[_byte] = 1
for _byte in b"]}":
    _STEP[_byte] = -1
_SURROGATE_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


class StrictJSONError(ValueError):
    """The document is not what ``loads`` accepts. ``offset`` is in bytes, None where it is not known."""

    def __init__(self, what: str, reason: str, offset: int | None = None) -> None:
        where = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{what}: {reason}{where}")
        self.reason = reason
        self.offset = offset


class _HookError(ValueError):
    """Raised inside the parser's hooks, which know neither the document's name nor the offset."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _HookError(f'the key "{one_line(key, 80)}" stands twice in one object')
            seen.add(key)
    return members


def _integer(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS and len(digits.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise _HookError(f"an integer of more than {MAX_INTEGER_DIGITS} digits")
    return int(digits)


def _real(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise _HookError(f"the number {one_line(literal, 40)} is too large for a double")
    return value


def _constant(name: str) -> NoReturn:
    raise _HookError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_real, parse_constant=_constant
)


def loads(data: bytes | str, *, max_bytes: int, max_depth: int, what: str, max_nodes: int = MAX_NODES) -> Any:
    """The value of one JSON document, or ``StrictJSONError``.

    ``max_bytes`` counts UTF-8, also for a str. ``max_depth`` counts nested arrays and objects (a scalar has depth 0,
    ``[]`` 1). ``max_nodes`` bounds one plus the commas and opening brackets outside strings, which is never less than
    the number of values. ``what`` names the document in messages. Only dict, list, str, int, float, bool and None come
    back; every str encodes as UTF-8, every float is finite.
    """
    raw = _encoded(data, max_bytes, what)
    if len(raw) > max_bytes:
        raise StrictJSONError(what, f"{len(raw)} bytes, over the limit of {max_bytes}")
    if raw.startswith(_BOM):
        raise StrictJSONError(what, "starts with a byte order mark; save it as UTF-8 without one", 0)
    _check_structure(raw, max_depth, max_nodes, what)
    if b"\\ud" in raw or b"\\uD" in raw:
        _check_surrogates(raw, what)
    return _parse(_decoded(raw, what), what)


def _encoded(data: bytes | str, max_bytes: int, what: str) -> bytes:
    if not isinstance(data, str):
        return data
    if len(data) > max_bytes:  # before encoding: at least as many bytes
        raise StrictJSONError(what, f"over the limit of {max_bytes} bytes")
    try:
        return data.encode()
    except UnicodeEncodeError as error:
        offset = len(data[: error.start].encode())
        raise StrictJSONError(what, "a lone surrogate, which is no character", offset) from None


def _decoded(raw: bytes, what: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise StrictJSONError(what, "not UTF-8", error.start) from None


def _check_structure(raw: bytes, max_depth: int, max_nodes: int, what: str) -> None:
    """Depth and number of values, without recursion.

    Counting bytes gives upper bounds in a microsecond; only a document that exceeds one of them is looked at closely.
    Up to its first syntax error every bracket is matched, so the running sum is the depth the parser would reach.
    """
    opening = raw.count(b"[") + raw.count(b"{")
    if opening <= max_depth and opening + raw.count(b",") < max_nodes:
        return
    structure = _STRING.sub(b"", raw).translate(None, _NOT_STRUCTURE)
    commas = structure.count(b",")
    if 1 + commas + structure.count(b"[") + structure.count(b"{") > max_nodes:
        raise StrictJSONError(what, f"more than {max_nodes} values")
    if max(accumulate(map(_STEP.__getitem__, structure)), default=0) > max_depth:
        raise StrictJSONError(what, f"nested deeper than {max_depth} levels", _offset_of_depth(raw, max_depth))


def _offset_of_depth(raw: bytes, max_depth: int) -> int:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(raw):
        depth += _STEP[raw[match.start()]]
        if depth > max_depth:
            return match.start()
    return len(raw)


def _check_surrogates(raw: bytes, what: str) -> None:
    for match in _SURROGATE_ESCAPE.finditer(raw):
        if match[1]:
            raise StrictJSONError(what, f"a lone surrogate (\\{match[1].decode()})", match.start())


def _parse(text: str, what: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode())
        reason = f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})" if text.strip() else "empty"
        raise StrictJSONError(what, reason, offset) from None
    except _HookError as refusal:
        raise StrictJSONError(what, str(refusal)) from None
    except RecursionError:  # a max_depth that this thread's stack cannot take
        raise StrictJSONError(what, "nested too deeply for the parser") from None


def dumps_canonical(value: Any) -> bytes:
    """The one UTF-8 JSON text of ``value``: keys sorted by code point, no spaces, nothing escaped that need not be.

    Equal values give equal bytes on every machine, so its hash is a digest. Frozen values (mappings, tuples) give the
    bytes of the dicts and lists they came from. Raises ``ValueError`` for what strict JSON cannot hold (NaN, lone
    surrogates), ``TypeError`` for other types. Note 1 and 1.0 are different values here.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)
    return text.encode()


def _plain(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")
