"""The operator's known values and canaries, found in whatever coat they wear.

Both sides are brought to one plain form: ASCII letters in lower case and digits, all else dropped. So line ends,
spaces, quotes, commas, zero-width characters, percent signs and letter case between the pieces make no difference. In
that form we look for each value as it is, reversed, as hex, base64 at its three alignments, base32, rot13, character
codes, and one of these inside another. One RE2 program holds all forms: the search is linear in the text.

Not found: compressed or encrypted values, two layers of anything else, and pieces with other letters between them.
"""

from __future__ import annotations

import base64
import codecs
import os
import re
import stat
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from orchestrator.errors import SettingsError
from orchestrator.outputs.hits import Hit, TooMany
from orchestrator.outputs.linear import linear
from orchestrator.settings import Settings

MIN_CHARACTERS: Final = 8  # letters and digits; anything shorter is found everywhere
MAX_VALUES: Final = 200
MAX_VALUE_BYTES: Final = 4096
_MAX_FILE_BYTES: Final = 2**20
MAX_HITS: Final = 2000
_NEEDLE: Final = 48  # characters of a form that the program looks for; the rest is compared where they are found
_MAX_ESCAPES: Final = 200_000  # decoded in one text; a value that is escaped as a whole is found without
_PROGRAM_BYTES: Final = 512 * 2**20  # at most; MAX_VALUES of 40 characters take far less (measured)

_KEPT: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DROPPED: Final = bytes(byte for byte in range(256) if byte not in _KEPT)
_LOWER: Final = bytes(range(256)).lower()
_IS_KEPT: Final = bytes(int(byte in _KEPT) for byte in range(256))
_IS_CODE: Final = bytes(int(byte in _KEPT + b"+/=_-") for byte in range(256))
_EDGE: Final = 4  # bytes
_ESCAPES: Final = re.compile(
    rb"%[0-9A-Fa-f]{2}|=[0-9A-Fa-f]{2}|\\x[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2}|&#x[0-9A-Fa-f]{2};|&#[0-9]{2,3};|\\[nrt]"
)  # linear: no repetition that could be split in two ways


def plain(raw: bytes) -> bytes:
    return raw.translate(_LOWER, _DROPPED)


@dataclass(frozen=True, slots=True)
class _Form:
    text: bytes
    value: int  # index of the value
    how: str


def _base64(raw: bytes) -> Iterator[bytes]:
    """What any base64 text has of ``raw``, wherever in a group of three bytes it begins; without the characters that
    hold bits of its neighbours."""
    for lead, shared in ((0, 0), (1, 2), (2, 3)):
        text = base64.b64encode(b"\0" * lead + raw)
        whole = text.rstrip(b"=")
        yield whole[shared : -1 if len(whole) < len(text) else None]


def _base32(raw: bytes) -> Iterator[bytes]:
    for lead, shared in ((0, 0), (1, 2), (2, 4), (3, 5), (4, 7)):
        text = base64.b32encode(b"\0" * lead + raw)
        whole = text.rstrip(b"=")
        yield whole[shared : -1 if len(whole) < len(text) else None]


def _url_safe(raw: bytes) -> bytes:
    return raw.replace(b"+", b"-").replace(b"/", b"_")


def _rot13(raw: bytes) -> bytes:
    return codecs.encode(raw.decode("latin-1"), "rot13").encode("latin-1")


def _single(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The encodings that may be put inside one another."""
    yield "reversed", raw[::-1]
    yield "hex", raw.hex().encode()
    yield "rot13", _rot13(raw)
    for text in _base64(raw):
        yield "base64", text


def _forms(raw: bytes) -> Iterator[tuple[str, bytes]]:
    yield "", raw
    yield from _single(raw)
    for text in _base32(raw):
        yield "base32", text
    yield "character codes", b"".join(b"%d" % byte for byte in raw)
    yield "octal", b"".join(b"%03o" % byte for byte in raw)
    yield "escapes", b"".join(b"x%02x" % byte for byte in raw)
    yield "escapes", b"".join(b"u00%02x" % byte for byte in raw)
    for inner, text in _single(raw):
        spelled = {text, text.upper()} if inner == "hex" else {text, _url_safe(text)}
        for outer, twice in (pair for each in sorted(spelled) for pair in _single(each)):
            yield f"{outer} of {inner}", twice


@dataclass(frozen=True, slots=True)
class KnownValues:
    """Ready to be looked for. Holds the values, so it shows nothing of them. Thread-safe."""

    _kinds: tuple[str, ...] = field(default=(), repr=False)
    _by_needle: dict[bytes, tuple[_Form, ...]] = field(default_factory=dict, repr=False)
    _program: Any = field(default=None, repr=False)
    _sorted: tuple[bytes, ...] = field(default=(), repr=False)  # forms, for prefixes
    longest: int = 0  # characters of the longest form

    @classmethod
    def of(cls, values: Iterable[tuple[str, str]]) -> KnownValues:
        """From (kind, value) pairs. ``SettingsError`` for one that cannot be looked for; it names no value."""
        pairs = list(dict.fromkeys(values))
        if not pairs:
            return cls()
        if len(pairs) > MAX_VALUES:
            raise SettingsError(f"{len(pairs)} canaries and known values are more than {MAX_VALUES}")
        forms: dict[bytes, _Form] = {}
        for index, (kind, value) in enumerate(pairs):
            for how, text in _forms(_checked(index, kind, value)):
                if len(form := plain(text)) >= MIN_CHARACTERS:
                    forms.setdefault(form, _Form(form, index, how))
        by_needle: dict[bytes, list[_Form]] = {}
        for each in forms.values():
            by_needle.setdefault(each.text[:_NEEDLE], []).append(each)
        program = linear(b"|".join(sorted(by_needle)), memory=_PROGRAM_BYTES, captures=False)
        needles = {needle: tuple(found) for needle, found in by_needle.items()}
        return cls(tuple(kind for kind, _ in pairs), needles, program, tuple(sorted(forms)), max(map(len, forms)))

    def __bool__(self) -> bool:
        return self._program is not None

    def find(self, raw: bytes) -> list[Hit]:
        """Every place where a value stands, in ``raw``'s bytes. Raises ``TooMany``."""
        if self._program is None:
            return []
        hits = self._found(raw, None)
        if any(mark in raw for mark in (b"%", b"=", b"\\", b"&#")):
            decoded, origins = _unescaped(raw)
            if decoded != raw:
                hits += [hit for hit in self._found(decoded, origins) if hit not in hits]
        return hits

    def _found(self, raw: bytes, origins: Sequence[int] | None) -> list[Hit]:
        """``origins``: where each byte of ``raw`` came from, and the end."""
        text = plain(raw)
        match = self._program.search(text)
        if match is None:
            return []
        places = array("Q", compress(range(len(raw)), raw.translate(_IS_KEPT)))
        hits: list[Hit] = []
        while match is not None:
            if len(hits) >= MAX_HITS:
                raise TooMany
            start = match.start()
            form, length = max(
                ((each, _agrees(text, start, each.text)) for each in self._by_needle[match.group()]),
                key=lambda pair: pair[1],
            )
            first, last = places[start], places[start + length - 1]
            begin, end = (first, last + 1) if origins is None else (origins[first], origins[last + 1])
            if form.how and origins is None:
                begin, end = _with_edges(raw, begin, end)
            hits.append(Hit("OUT101", self._kinds[form.value], begin, end, form.how))
            match = self._program.search(text, start + length)
        return hits

    def unfinished(self, raw: bytes, at_least: int) -> int | None:
        """Where the longest end of ``raw`` begins that could be the begin of a form: ``at_least`` characters of it are
        there. None where there is no such end."""
        if self._program is None:
            return None
        tail = raw[-64 * self.longest :]
        text = plain(tail)[-self.longest :]
        for start in range(len(text) - at_least + 1):
            if self._begins(text[start:]):
                place = len(text) - start
                for index in range(len(tail) - 1, -1, -1):
                    place -= tail[index] in _KEPT
                    if not place:
                        return len(raw) - len(tail) + index
        return None

    def _begins(self, text: bytes) -> bool:
        index = bisect_left(self._sorted, text)
        return index < len(self._sorted) and self._sorted[index].startswith(text)


def _with_edges(raw: bytes, begin: int, end: int) -> tuple[int, int]:
    """The same place with the neighbours that hold bits of the value: base64 and base32 have them."""
    first, last = max(0, begin - _EDGE), min(len(raw), end + _EDGE)
    return (
        next((index for index in range(begin, first, -1) if not _IS_CODE[raw[index - 1]]), first),
        next((index for index in range(end, last) if not _IS_CODE[raw[index]]), last),
    )


def _agrees(text: bytes, start: int, form: bytes) -> int:
    """How many characters of ``form`` stand at ``start``."""
    if text.startswith(form, start):
        return len(form)
    low, high = 0, len(form)
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if text.startswith(form[:middle], start) else (low, middle)
    return low


def _unescaped(raw: bytes) -> tuple[bytes, array[int]]:
    decoded, origins, last = bytearray(), array("Q"), 0
    for count, match in enumerate(_ESCAPES.finditer(raw)):
        if count >= _MAX_ESCAPES:
            break
        decoded += raw[last : match.start()]
        origins.extend(range(last, match.start()))
        decoded.append(_byte(match[0]))
        origins.append(match.start())
        last = match.end()
    decoded += raw[last:]
    origins.extend(range(last, len(raw) + 1))
    return bytes(decoded), origins


def _byte(escape: bytes) -> int:
    if escape.startswith(b"&#") and escape[2:3] not in b"xX":
        return int(escape[2:-1]) & 0xFF
    if escape[:1] == b"\\" and escape[1:2] in b"nrt":
        return 0x20
    return int(escape.rstrip(b";")[-2:], 16)


def _checked(index: int, kind: str, value: str) -> bytes:
    raw = value.encode("utf-8", "surrogateescape")
    if len(plain(raw)) < MIN_CHARACTERS or len(raw) > MAX_VALUE_BYTES:
        raise SettingsError(
            f"the {kind} number {index + 1} cannot be looked for",
            hint=f"use values of at least {MIN_CHARACTERS} ASCII letters or digits and {MAX_VALUE_BYTES} bytes at most",
        )
    return raw


def known_values(settings: Settings) -> KnownValues:
    """The canaries and the known secrets of ``settings``. ``SettingsError``; it names no value."""
    values = [("canary", each.get_secret_value()) for each in settings.canaries]
    if settings.known_secrets_file is not None:
        values += [("known value", each) for each in read_values(settings.known_secrets_file)]
    password = unquote(urlsplit(settings.database.get_secret_value()).password or "")
    if len(plain(password.encode())) >= MIN_CHARACTERS:
        values.append(("known value", password))
    return KnownValues.of(values)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would wait for a writer


def read_values(path: Path) -> list[str]:
    """The lines of the operator's file: one value a line, as it is; empty lines are nothing. ``SettingsError`` unless
    the file is regular, ours or root's, and for its owner alone."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:  # Path.open takes no opener
            entry = os.fstat(file.fileno())
            content = file.read(_MAX_FILE_BYTES + 1) if stat.S_ISREG(entry.st_mode) else b""
    except OSError as error:
        raise SettingsError(f"known_secrets_file {path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(entry.st_mode) or entry.st_uid not in (0, os.geteuid()) or entry.st_mode & 0o077:
        raise SettingsError(
            f"known_secrets_file {path} is open to others", hint=f"chown it to yourself, chmod 600 {path}"
        )
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise SettingsError(f"known_secrets_file {path} is not UTF-8") from None
    if len(content) > _MAX_FILE_BYTES:
        raise SettingsError(f"known_secrets_file {path} is larger than {_MAX_FILE_BYTES} bytes")
    return [line for line in (each.removesuffix("\r") for each in lines) if line.strip()]
