"""``verify``: reads the whole trail once, and names what was done to it.

What it cannot see: records that whoever holds the key file forged and who also changed the anchors. Anchors that lie
elsewhere (``more``: lines that the command or syslog took away) find that too, up to their own age.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from orchestrator.audit import key as keys
from orchestrator.audit.anchors import Anchor, AnchorFile, Reading, by_number, read_lines
from orchestrator.audit.chain import SEALED, Head, head_seal
from orchestrator.audit.key import Keyring
from orchestrator.audit.ledger import head_of, records_in
from orchestrator.audit.records import MAX_BODY_BYTES
from orchestrator.audit.walk import MAX_ODD, Range, Row, Walk
from orchestrator.records import Database
from orchestrator.text import one_line

_BATCH: Final = 2000


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


@dataclass(slots=True)
class _Trail:
    """What was read."""

    keys: Keyring
    reading: Reading
    anchors: list[Anchor]
    walk: Walk
    head: tuple[Head, str] | None


def verify(database: Database, key_path: Path, anchor_file: AnchorFile, *, more: bytes = b"") -> Verdict:
    """``more``: further anchor lines, from elsewhere. ``RecordsError``: the database or a file cannot be read."""
    began, verdict = time.monotonic(), Verdict()
    try:
        _verify(database, key_path, anchor_file, more, verdict)
    finally:
        verdict.seconds = time.monotonic() - began
    return verdict


def _verify(database: Database, key_path: Path, anchor_file: AnchorFile, more: bytes, verdict: Verdict) -> None:
    if not keys.exists(key_path):
        with database.reading() as connection:
            held = records_in(connection)
        if held or anchor_file.size():
            verdict.records = held
            verdict.add(Fault.KEY, f"the key file {key_path} is missing: not one record can be verified")
        return
    ring = keys.load(key_path)
    reading = anchor_file.read(ring)  # before the database, which is then at least as new
    further = read_lines(more + b"\n" * (not more.endswith(b"\n")), ring, offsets=False) if more else Reading()
    anchors = [*reading.anchors, *further.anchors]
    with database.reading() as connection:
        walk = Walk(ring, by_number(anchors))
        for batch in _batches(connection):
            walk.feed(batch)
            if walk.given_up:
                break
        trail = _Trail(ring, reading, anchors, walk, head_of(connection))
        verdict.records, verdict.first, verdict.last = walk.count, walk.first, walk.last
        verdict.anchors = len(anchors)
        _judge(trail, verdict)
        _blobs(connection, verdict)
    verdict.found += [Found(Fault.ANCHORS, f"the given anchors: {each}") for each in further.faults[:20]]
    verdict.found.sort(key=lambda each: each.first)


# --- reading -------------------------------------------------------------------------------------------------------


def _batches(connection: Connection) -> Iterator[list[Row]]:
    """All records by place. SQLite keeps whatever bytes somebody put there, so it is asked for bytes; of hostile ones,
    not more than a record may have."""
    cap = MAX_BODY_BYTES + 1
    sqlite = connection.dialect.name == "sqlite"
    column = "substr(CAST({} AS BLOB), 1, {})" if sqlite else "left(CAST({} AS TEXT), {})"
    columns = ", ".join(column.format(name, cap) for name in (*SEALED, "mac"))
    statement = text(f"SELECT seq, {columns} FROM audit_records WHERE seq > :after ORDER BY seq LIMIT {_BATCH}")  # noqa: S608
    after = -(2**63)
    while found := connection.execute(statement, {"after": after}).fetchall():
        yield [_row(each) for each in found]
        after = found[-1][0]


def _row(found: Sequence[Any]) -> Row:
    values = [each if type(each) is bytes else b"" if each is None else str(each).encode() for each in found[1:]]
    return Row(found[0], values[:-1], values[-1])


# --- concluding ----------------------------------------------------------------------------------------------------


def _judge(trail: _Trail, verdict: Verdict) -> None:
    _anchor_file(trail, verdict)
    if trail.walk.given_up:
        meaning = f"more than {MAX_ODD} oddities up to record {trail.walk.last}: what follows was not looked at"
        verdict.add(Fault.UNFINISHED, meaning, trail.walk.last)
        return
    end = _end(trail, verdict)
    _beginning(trail, verdict)
    _places(trail, verdict, end)
    _histories(trail, verdict)


def _anchor_file(trail: _Trail, verdict: Verdict) -> None:
    reading = trail.reading
    if reading.missing and (trail.walk.count or trail.head):
        verdict.add(Fault.ANCHORS, "the anchor file is missing: a cut end or an older copy cannot be ruled out")
    for each in reading.faults[:20]:
        verdict.add(Fault.ANCHORS, f"the anchor file was changed, {each}")
    if len(reading.faults) > 20:
        verdict.add(Fault.ANCHORS, f"and {len(reading.faults) - 20} lines more")
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
    anchored = max((each.seq for each in trail.anchors), default=0)
    if last > anchored and not trail.reading.missing:
        verdict.notes.append(f"records {anchored + 1} to {last} have no anchor yet")


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


def _blobs(connection: Connection, verdict: Verdict) -> None:
    """Whether code and manifests are there, and what their names say."""
    for name in ("code", "manifest"):
        missing = (
            f"SELECT min(seq), count(*) FROM audit_records r WHERE {name} <> ''"  # noqa: S608 - a name of our own
            f" AND NOT EXISTS (SELECT 1 FROM audit_blobs b WHERE b.sha256 = r.{name})"
        )
        first, count = connection.execute(text(missing)).one()
        if count:
            verdict.add(Fault.BLOB, f"the {name} of {count} records is missing, first of this one", int(first))
    after = ""
    one = text("SELECT sha256, content FROM audit_blobs WHERE sha256 > :after ORDER BY sha256 LIMIT 1")
    while (found := connection.execute(one, {"after": after}).one_or_none()) is not None:
        after, content = found
        raw = content if isinstance(content, bytes) else str(content).encode("utf-8", "replace")
        if hashlib.sha256(raw).hexdigest() != after:
            verdict.add(Fault.BLOB, f"the content that is named {one_line(str(after), 64)} was changed")
