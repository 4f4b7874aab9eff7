"""``Walk``: judges record after record, and says what is odd about them. No database, no files.

A record is *genuine* when its seal fits, and *at home* when it stands at the number it was sealed with. From where
genuine records are, and are not, ``verify`` concludes what was done. Everything here is bounded: ``MAX_ODD`` oddities,
then the walk is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, NamedTuple

from orchestrator.audit.chain import GENESIS, SEALED, joined, seal
from orchestrator.audit.key import Key, Keyring
from orchestrator.audit.records import RULESET_MARK
from orchestrator.strictjson import StrictJSONError, loads

MAX_ODD: Final = 1000
MAX_NAMED: Final = 500
_NUMBER, _KIND, _BODY, _KEY, _PREV = (SEALED.index(name) for name in ("number", "kind", "body", "key_id", "prev"))
_CODE, _MANIFEST = SEALED.index("code"), SEALED.index("manifest")
_RULESET: Final = RULESET_MARK.encode()
_MAX_BODY: Final = 10_000  # of the records that the walk itself reads

Range = tuple[int, int]


class Row(NamedTuple):  # a dataclass takes four times as long to make, and there may be millions
    """One record as it stands in the database: foreign bytes. ``fields`` are those of ``SEALED``. ``fit``: each value
    has its column's type, and all have a size that a record may have."""

    seq: int
    fields: Sequence[bytes]
    mac: bytes
    fit: bool = True


class Names(NamedTuple):
    """The blobs that an intent names, by their hashes; b"" is none."""

    code: bytes
    manifest: bytes
    ruleset: bytes


@dataclass(slots=True)
class Named:
    """Genuine records that name the same blobs: the first one, and how many."""

    first: int
    count: int = 1


@dataclass(slots=True)
class Runs:
    """Places in ascending order, as ranges."""

    found: list[Range] = field(default_factory=list)

    def add(self, first: int, last: int | None = None) -> None:
        last = first if last is None else last
        if self.found and self.found[-1][1] == first - 1:
            self.found[-1] = (self.found[-1][0], last)
        else:
            self.found.append((first, last))


@dataclass(slots=True)
class Moved:
    """``length`` records that stand at ``place`` and on, sealed as ``number`` and on."""

    place: int
    number: int
    length: int = 1


@dataclass(slots=True)
class Odd:
    """``holes``: places where nothing is. ``forged``: not as they were sealed. ``retired``: sealed with a key that was
    not in use. ``spliced``: genuine, but of another history than the one before. ``unknown``: the key is not there."""

    holes: Runs = field(default_factory=Runs)
    forged: Runs = field(default_factory=Runs)
    retired: Runs = field(default_factory=Runs)
    spliced: Runs = field(default_factory=Runs)
    unknown: Runs = field(default_factory=Runs)
    moved: list[Moved] = field(default_factory=list)
    unanchored: Runs = field(default_factory=Runs)  # genuine, but anchors tell of others with these numbers

    def count(self) -> int:
        runs = (self.holes, self.forged, self.retired, self.spliced, self.unknown, self.unanchored)
        return sum(len(each.found) for each in runs) + len(self.moved)


class Walk:
    """Feed it every row by ascending ``seq``."""

    def __init__(self, keys: Keyring, anchors: Mapping[int, set[str]]) -> None:
        self._keys, self._anchors = keys, {seq: {mac.encode() for mac in macs} for seq, macs in anchors.items()}
        self._key: Key | None = None  # in use at this point of the chain
        self._sealed: Callable[[Sequence[bytes]], bytes] = lambda _: b""  # under that key
        self._key_id = b""
        self._mac: bytes | None = None  # of the record before; None: not to be relied on
        self.first = self.last = self.count = 0
        self.first_prev = b""
        self.checkpoints: set[tuple[int, bytes]] = set()
        self.named: dict[Names, Named] = {}  # since they were last taken
        self.odd = Odd()

    @property
    def given_up(self) -> bool:
        return self.odd.count() > MAX_ODD

    def feed(self, rows: Iterable[Row]) -> bool:
        """Take of ``rows`` what is still to come. True: take ``named``, and go on with the rest."""
        for row in rows:
            fields = row.fields
            if (
                self._key is not None
                and row.fit
                and row.seq == self.last + 1
                and fields[_PREV] == self._mac
                and fields[_KEY] == self._key_id
                and fields[_NUMBER] == b"%d" % row.seq
                and self._sealed(fields) == row.mac
            ):
                self._at_home(row)
            else:
                self._look_closely(row)
                if self.given_up:
                    return False
            self.last = row.seq
            self.count += 1
            if len(self.named) >= MAX_NAMED:
                return True
        return False

    def take_named(self) -> dict[Names, Named]:
        taken, self.named = self.named, {}
        return taken

    def _at_home(self, row: Row) -> None:
        self._mac = row.mac
        expected = self._anchors.get(row.seq)
        if expected is not None and expected != {row.mac}:
            self.odd.unanchored.add(row.seq)
        kind = row.fields[_KIND]
        if kind == b"intent":
            self._note_names(row)
        elif kind in (b"rotation", b"checkpoint"):
            self._special(row)

    def _note_names(self, row: Row) -> None:
        """The body is canonical and ours: inside of a string a quotation mark has a backslash before it, and before
        ``checks`` there is only ``allowed``, so the first place where it could be is where it is."""
        body = row.fields[_BODY]
        ruleset, place = b"", body.find(_RULESET)
        if place >= 0:
            start = place + len(_RULESET)
            ruleset = body[start : body.find(b'"', start)]
        names = Names(row.fields[_CODE], row.fields[_MANIFEST], ruleset)
        found = self.named.get(names)
        if found is None:
            self.named[names] = Named(row.seq)
        else:
            found.count += 1

    def _special(self, row: Row) -> None:
        try:
            body = loads(row.fields[_BODY], max_bytes=_MAX_BODY, max_depth=2, what="record")
            if row.fields[_KIND] == b"checkpoint":
                self.checkpoints.add((int(body["through"]), str(body["mac"]).encode()))
            else:
                self._use(str(body["key"]).encode())
        except (StrictJSONError, KeyError, TypeError, ValueError):  # sealed, so it was ours that wrote it
            self.odd.forged.add(row.seq)

    def _use(self, key_id: bytes) -> None:
        self._key_id, self._key = key_id, self._keys.get(key_id.decode("ascii", "replace"))
        if self._key is not None:
            self._sealed = _sealing(self._key.records)

    def _look_closely(self, row: Row) -> None:
        if not self.count:
            self.first, self.first_prev = row.seq, row.fields[_PREV]
            self._use(row.fields[_KEY])
            self._mac = GENESIS.encode() if row.seq == 1 else row.fields[_PREV]
        elif row.seq != self.last + 1:
            self.odd.holes.add(self.last + 1, row.seq - 1)
            self._mac = None
        key = self._keys.get(row.fields[_KEY].decode("ascii", "replace"))
        if not row.fit:
            self.odd.forged.add(row.seq)
            self._mac = None
        elif key is None and self._key is None:
            self.odd.unknown.add(row.seq)
            self._mac = row.mac
        elif key is None or seal(key.records, row.fields).encode() != row.mac:  # no rotation told of it
            self.odd.forged.add(row.seq)
            self._mac = None
        elif row.fields[_NUMBER] != b"%d" % row.seq:
            self._elsewhere(row.seq, int(row.fields[_NUMBER]))  # sealed, so it is a number
            self._mac = None
        else:
            self._in_place(row)

    def _in_place(self, row: Row) -> None:
        """Genuine and at home; does it follow the one before?"""
        if row.fields[_KEY] != self._key_id:
            if self._mac is not None and self._key is not None:  # else the record that told of it may be lost
                self.odd.retired.add(row.seq)
                self._mac = None
                return
            self._use(row.fields[_KEY])
        elif self._mac is not None and row.fields[_PREV] != self._mac:
            self.odd.spliced.add(row.seq)
        self._at_home(row)

    def _elsewhere(self, place: int, number: int) -> None:
        moved = self.odd.moved
        if moved and (moved[-1].place + moved[-1].length, moved[-1].number + moved[-1].length) == (place, number):
            moved[-1].length += 1
        else:
            moved.append(Moved(place, number))


def _sealing(key: bytes) -> Callable[[Sequence[bytes]], bytes]:
    """``chain.seal`` under ``key``, of at most 64 bytes. What HMAC (RFC 2104) does with a key is done once, which is
    half of the time that the seal of a record takes."""
    block = key.ljust(64, b"\0")
    inner, outer = (sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))

    def sealed(fields: Sequence[bytes]) -> bytes:
        content, whole = inner.copy(), outer.copy()
        content.update(joined(fields))
        whole.update(content.digest())
        return whole.hexdigest().encode()

    return sealed
