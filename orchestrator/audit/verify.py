"""``verify``: reads the whole trail once, and names whatever was done to it.

What it cannot see:

* an older copy of the database with an anchor file cut to the same length: no key is needed for that. Records whose
  anchors were cut off show only until the next start anchors the end again;
* records that whoever holds the key file forged, who then can write anchors for them too.

Anchors that lie elsewhere (``more``: lines that the command or syslog took away) find both, up to their own age.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, select

from orchestrator.audit import key as keys
from orchestrator.audit import rows, told
from orchestrator.audit.anchors import Anchor, AnchorFile, Reading, by_number, read_lines
from orchestrator.audit.chain import Head, head_seal
from orchestrator.audit.key import Keyring
from orchestrator.audit.ledger import records_in
from orchestrator.audit.walk import MAX_ODD, Named, Names, Range, Walk
from orchestrator.records import Database
from orchestrator.records.tables import AUDIT_RECORDS
from orchestrator.text import one_line

ANCHORED_SECONDS: Final = 60  # an anchor follows its record within a moment, or not at all
MOST_UNANCHORED: Final = 2  # older records that a killed process may have left behind, whenever they were made;
UNANCHORED_SECONDS: Final = 5  # or any number, made within this time: a busy one, with a slow disk
_MOST_TOLD: Final = 20  # of one sort


class Fault(StrEnum):
    EDITED = "edited"
    DELETED = "deleted"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    RESTORED = "restored"
    HEAD = "head"
    BLOB = "blob"
    ANCHORS = "anchors"
    KEY = "key"
    TABLES = "tables"
    INDEX = "index"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Found:
    """``first`` to ``last`` are record numbers; 0 where it is not about records."""

    fault: Fault
    meaning: str
    first: int = 0
    last: int = 0


@dataclass(slots=True)
class Verdict:
    """``notes`` are worth knowing and no tampering."""

    found: list[Found] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    records: int = 0
    first: int = 0
    last: int = 0
    anchors: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.found

    def add(self, fault: Fault, meaning: str, first: int = 0, last: int | None = None) -> None:
        self.found.append(Found(fault, meaning, first, first if last is None else last))


@dataclass(frozen=True, slots=True)
class _Given:
    key_path: Path
    anchor_file: AnchorFile
    more: bytes
    now_us: int


@dataclass(slots=True)
class _Trail:
    """What was read."""

    keys: Keyring
    reading: Reading
    anchors: list[Anchor]
    walk: Walk
    head: tuple[Head, str] | None
    missing: dict[str, Named] = field(default_factory=dict)  # blobs, by what they are


def verify(
    database: Database, key_path: Path, anchor_file: AnchorFile, *, more: bytes = b"", now_us: int | None = None
) -> Verdict:
    """``more``: further anchor lines, from elsewhere. ``RecordsError``: the database or a file cannot be read."""
    began, verdict = time.monotonic(), Verdict()
    given = _Given(key_path, anchor_file, more, time.time_ns() // 1000 if now_us is None else now_us)
    try:
        _verify(database, given, verdict)
    finally:
        verdict.seconds = time.monotonic() - began
    verdict.found.sort(key=lambda each: each.first)
    return verdict


def _verify(database: Database, given: _Given, verdict: Verdict) -> None:
    ring = keys.load(given.key_path) if keys.exists(given.key_path) else None
    # before the database, which is then at least as new
    reading = Reading() if ring is None else given.anchor_file.read(ring)
    with database.reading() as connection:
        if not _tables(connection, verdict):
            return
        if ring is None:
            verdict.records = records_in(connection)
            if verdict.records or given.anchor_file.size():
                verdict.add(Fault.KEY, f"the key file {given.key_path} is missing: not one record can be verified")
            return
        further = _further(given.more, ring)
        for name in given.anchor_file.aside():
            verdict.add(Fault.ANCHORS, f"a changed anchor file was replaced, and is kept as {name}: move it away")
        trail = _read(connection, ring, reading, further, verdict)
        end = _judge(trail, verdict)
        if end is not None:
            _unanchored(connection, trail, end, given.now_us, verdict)
        _blobs(connection, trail, verdict)
        verdict.notes += told.notes(connection)
    verdict.found += [Found(Fault.ANCHORS, f"the given anchors: {each}") for each in further.faults[:_MOST_TOLD]]


# --- reading -------------------------------------------------------------------------------------------------------


def _further(more: bytes, ring: Keyring) -> Reading:
    return read_lines(more + b"\n" * (not more.endswith(b"\n")), ring, offsets=False) if more else Reading()


def _tables(connection: Connection, verdict: Verdict) -> bool:
    """Whether there is something to read; and whether queries find what is there."""
    missing = rows.missing_tables(connection)
    for name in missing:
        verdict.add(Fault.TABLES, f"the table {name} was dropped, or replaced by something else")
    if missing:
        return False
    damage = rows.damage(connection)
    for each in damage[:_MOST_TOLD]:
        verdict.add(Fault.INDEX, f"queries may not find what is there: {one_line(each, 200)}")
    if len(damage) > _MOST_TOLD:
        verdict.add(Fault.INDEX, f"and {len(damage) - _MOST_TOLD} more")
    return True


def _read(connection: Connection, ring: Keyring, reading: Reading, further: Reading, verdict: Verdict) -> _Trail:
    anchors = [*reading.anchors, *further.anchors]
    walk = Walk(ring, by_number(anchors))
    trail = _Trail(ring, reading, anchors, walk, rows.head(connection))
    with closing(rows.records(connection)) as records:
        while walk.feed(records):
            _look_up(connection, walk.take_named(), trail.missing)
    _look_up(connection, walk.take_named(), trail.missing)
    verdict.records, verdict.first, verdict.last = walk.count, walk.first, walk.last
    verdict.anchors = len(anchors)
    return trail


def _look_up(connection: Connection, named: Mapping[Names, Named], missing: dict[str, Named]) -> None:
    """Add to ``missing`` what is named and not there."""
    wanted = {name.decode("ascii", "replace") for names in named for name in names if name}
    there = rows.blobs_there(connection, wanted)
    for names, records in named.items():
        for what, name in names._asdict().items():
            if not name or name.decode("ascii", "replace") in there:
                continue
            found = missing.get(what)
            if found is None:
                missing[what] = Named(records.first, records.count)
            else:
                found.first, found.count = min(found.first, records.first), found.count + records.count


# --- concluding ----------------------------------------------------------------------------------------------------


def _judge(trail: _Trail, verdict: Verdict) -> int | None:
    """The number of the last record that there ever was; None: it was given up."""
    _anchor_file(trail, verdict)
    if trail.walk.given_up:
        meaning = f"more than {MAX_ODD} oddities up to record {trail.walk.last}: what follows was not looked at"
        verdict.add(Fault.UNFINISHED, meaning, trail.walk.last)
        return None
    end = _end(trail, verdict)
    _beginning(trail, verdict)
    _places(trail, verdict, end)
    _histories(trail, verdict)
    return end


def _anchor_file(trail: _Trail, verdict: Verdict) -> None:
    reading = trail.reading
    if reading.missing and (trail.walk.count or trail.head):
        verdict.add(Fault.ANCHORS, "the anchor file is missing: a cut end or an older copy cannot be ruled out")
    elif trail.head and not (trail.anchors or reading.faults):
        verdict.add(Fault.ANCHORS, "the anchor file is empty: a cut end or an older copy cannot be ruled out")
    for each in reading.faults[:_MOST_TOLD]:
        verdict.add(Fault.ANCHORS, f"the anchor file was changed, {each}")
    if len(reading.faults) > _MOST_TOLD:
        verdict.add(Fault.ANCHORS, f"and {len(reading.faults) - _MOST_TOLD} lines more")
    if reading.torn:
        verdict.notes.append("the anchor file's last line is cut off, as a crash leaves it; the next start repairs it")


def _end(trail: _Trail, verdict: Verdict) -> int:
    """The number of the last record that there ever was, as far as head and anchors tell."""
    walk, newest = trail.walk, max((each.seq for each in trail.anchors), default=0)
    head = _checked_head(trail, verdict)
    reach = max([walk.last, *(each.number + each.length - 1 for each in walk.odd.moved)])
    if head is not None and head.seq > reach:
        meaning = "the end was cut off: the database itself tells of these records"
        verdict.add(Fault.TRUNCATED, meaning, reach + 1, max(head.seq, newest))
    elif newest > reach:
        if trail.head is not None and head is None:
            verdict.add(Fault.TRUNCATED, "the end was cut off: anchors tell of these records", reach + 1, newest)
        else:
            meaning = "an older copy of the database was restored: anchors tell of these records"
            verdict.add(Fault.RESTORED, meaning, reach + 1, newest)
    if head is not None:
        return head.seq
    return max(walk.last, newest)


def _checked_head(trail: _Trail, verdict: Verdict) -> Head | None:
    if trail.head is None:
        if trail.walk.count:
            verdict.add(Fault.HEAD, "the head, which says where the chain ends, was deleted")
        elif not any(each.seq for each in trail.anchors):
            verdict.add(Fault.HEAD, "the trail was emptied: its key is there, but neither a record nor the head")
        return None
    head, sealed = trail.head
    key = trail.keys.get(str(head.key_id))
    if key is None:
        verdict.add(Fault.KEY, f"the key {one_line(str(head.key_id), 40)} of the head is not in the key file")
        return None
    if not isinstance(head.seq, int) or head_seal(key.heads, head) != sealed:
        verdict.add(Fault.HEAD, "the head, which says where the chain ends, was changed")
        return None
    return head


def _beginning(trail: _Trail, verdict: Verdict) -> None:
    walk = trail.walk
    if walk.first > 1 and (walk.first - 1, walk.first_prev) not in walk.checkpoints:
        meaning = "the beginning is missing, and no checkpoint in the chain says that it was pruned"
        verdict.add(Fault.DELETED, meaning, 1, walk.first - 1)
    elif walk.first > 1:
        verdict.notes.append(f"records 1 to {walk.first - 1} were pruned: record {walk.first} follows the checkpoint")


def _places(trail: _Trail, verdict: Verdict, end: int) -> None:
    """Holes, forged records and moved ones, each explained by the others where that can be."""
    odd, walk = trail.walk.odd, trail.walk
    numbers = sorted((each.number, each.number + each.length - 1) for each in odd.moved)
    places = sorted((each.place, each.place + each.length - 1) for each in odd.moved)
    vacant = [*odd.holes.found, *odd.forged.found, *odd.retired.found, *odd.unknown.found, *places]
    shifted = False
    for first, last in minus(odd.holes.found, numbers):
        verdict.add(Fault.DELETED, "these records are missing", first, last)
        shifted = True
    for first, last in odd.forged.found:
        for a, b in minus([(first, last)], [*numbers, (end + 1, max(end + 1, walk.last))]):
            verdict.add(Fault.EDITED, "not as it was sealed: it was changed after it was written", a, b)
        for a, b in minus([(first, last)], minus([(first, last)], [*numbers, (end + 1, max(end + 1, walk.last))])):
            verdict.add(Fault.INSERTED, "never sealed with the key: it was put in", a, b)
            shifted = True
    for each in minus(places, numbers):  # something else stands where these were, and they stand nowhere
        if each[0] <= end:
            verdict.add(Fault.DELETED, "these records are missing; others stand in their places", *each)
            shifted = True
    for moved in odd.moved:
        first, last = moved.place, moved.place + moved.length - 1
        if minus([(moved.number, min(walk.last, moved.number + moved.length - 1))], vacant):  # it is at home as well
            meaning = (
                f"a copy of record {moved.number} and on" if moved.length > 1 else f"a copy of record {moved.number}"
            )
            verdict.add(Fault.INSERTED, f"{meaning} was put in", first, last)
        elif not (shifted and moved.length > 1):
            meaning = f"sealed as number {moved.number}: it stood elsewhere"
            verdict.add(Fault.REORDERED, meaning, first, last)
    _keys(trail, verdict)


def _keys(trail: _Trail, verdict: Verdict) -> None:
    for first, last in trail.walk.odd.unknown.found:
        verdict.add(Fault.KEY, "sealed with a key that is not in the key file: cannot be verified", first, last)
    for first, last in trail.walk.odd.retired.found:
        meaning = "sealed with a key that was not in use any more: whoever has an old key wrote it"
        verdict.add(Fault.EDITED, meaning, first, last)


def _histories(trail: _Trail, verdict: Verdict) -> None:
    odd, last = trail.walk.odd, trail.walk.last
    if odd.unanchored.found:
        first = odd.unanchored.found[0][0]
        meaning = "an older copy of the database was restored and gone on with: anchors tell of other records here"
        verdict.add(Fault.RESTORED, meaning, first, last)
    for first, _ in odd.spliced.found:
        meaning = "genuine records of two histories: it does not follow the one before, a part was restored from a copy"
        verdict.add(Fault.RESTORED, meaning, first)


def _unanchored(connection: Connection, trail: _Trail, end: int, now_us: int, verdict: Verdict) -> None:
    """Records at the end that no anchor tells of. A process that is killed leaves those of its last moment so, until
    the next start; when they reach further back, and a minute has passed, somebody cut their anchors off (a machine
    that lost power while it was busy may look the same, and is not given the benefit of the doubt). Their times are
    sealed."""
    anchored, last = max((each.seq for each in trail.anchors), default=0), min(end, trail.walk.last)
    if last <= anchored or not trail.reading.anchors:  # that it has none at all is told already
        return
    place = AUDIT_RECORDS.c.seq.between(anchored + 1, last)
    at = AUDIT_RECORDS.c.at_us
    old = select(func.count(), func.max(at) - func.min(at)).where(place, at < now_us - ANCHORED_SECONDS * 1_000_000)
    count, span_us = connection.execute(old).one()
    others = connection.dialect.name != "sqlite"  # machines that write to one server have anchor files of their own
    if count > MOST_UNANCHORED and span_us > UNANCHORED_SECONDS * 1_000_000 and not others:
        meaning = f"the anchor file's end was cut off: {count} records older than a minute have no anchor"
        verdict.add(Fault.ANCHORS, meaning, anchored + 1, last)
    else:
        verdict.notes.append(
            f"records {anchored + 1} to {last} have no anchor yet, or elsewhere; the next start writes one"
        )


def minus(ranges: Iterable[Range], others: Iterable[Range]) -> list[Range]:
    """The places in ``ranges`` that are in none of ``others``."""
    taken, left = sorted(others), []
    for first, last in ranges:
        start = first
        for a, b in taken:
            if b < start or a > last:
                continue
            if a > start:
                left.append((start, a - 1))
            start = b + 1
        if start <= last:
            left.append((start, last))
    return left


# --- blobs ---------------------------------------------------------------------------------------------------------

_BLOBS: Final = {"code": "the code", "manifest": "the manifest", "ruleset": "the list of rules that looked"}


def _blobs(connection: Connection, trail: _Trail, verdict: Verdict) -> None:
    """Whether what records name is there, and is what its name says."""
    for what, records in trail.missing.items():
        meaning = f"{_BLOBS[what]} of {records.count} records is missing, first of this one"
        verdict.add(Fault.BLOB, meaning, records.first)
    odd = 0
    with closing(rows.blobs(connection)) as blobs:
        for each in blobs:
            what = _odd(each)
            odd += bool(what)
            if what and odd <= _MOST_TOLD:
                name = one_line(each.name.decode("utf-8", "backslashreplace"), 64)
                verdict.add(Fault.BLOB, f"the content that is named {name} {what}")
    if odd > _MOST_TOLD:
        verdict.add(Fault.BLOB, f"and {odd - _MOST_TOLD} contents more")


def _odd(blob: rows.BlobRow) -> str:
    """What is wrong with it; "": nothing."""
    if blob.content is None:
        return "is larger than any that was ever written: it was not read"
    well = blob.fit and hashlib.sha256(blob.content).hexdigest().encode() == blob.name
    return "" if well else "was changed"
