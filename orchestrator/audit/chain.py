"""Seals. Pure: which bytes of a record are sealed, under which key, and after which record.

::

    mac(n) = HMAC-SHA256(key, fields of n, among them number, key id and mac(n-1))

* The fields are joined as netstrings ("3:abc,"), so "ab","c" and "a","bc" are different bytes.
* A record carries the MAC of the one before it. So each can be judged alone (is it as it was written?) and in its place
  (does it follow the one before it?), and an edit is told from a deletion.
* ``number`` is sealed, ``seq`` is only the place where the record stands: a moved record is still known as itself.
* The head says in the database which record is the last, under a seal of its own: without it, a cut end would show
  nowhere but in the anchors.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

GENESIS: Final = "0" * 64  # what the first record follows

SEALED: Final = (
    "number", "at_us", "kind", "run_id", "skill", "status", "principal", "session", "code", "manifest", "body",
    "key_id", "prev",
)  # fmt: skip
"""The columns under the seal, in this order."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last record, and the key for the next one."""

    seq: int
    mac: str
    key_id: str


def keyed(key: bytes, content: bytes) -> bytes:
    """HMAC-SHA256. Not ``hmac.digest``: that lets other threads run for each of its few microseconds, and while the
    pool is at work it takes milliseconds until this one goes on."""
    return hmac.new(key, content, hashlib.sha256).digest()


def joined(fields: Iterable[bytes]) -> bytes:
    return b"".join([b"%d:%b," % (len(each), each) for each in fields])


def seal(key: bytes, fields: Iterable[bytes]) -> str:
    """Hex. ``fields`` are those of ``SEALED``, numbers as decimal digits, text as UTF-8."""
    return keyed(key, joined(fields)).hex()


def head_seal(key: bytes, head: Head) -> str:
    return seal(key, (str(head.seq).encode(), head.mac.encode(), head.key_id.encode()))


def derived(key: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that nothing made for one is valid for another."""
    return keyed(key, b"skill-orchestrator audit " + purpose.encode())


def key_id(key: bytes) -> str:
    """A name for a key that says nothing about it."""
    return hashlib.sha256(b"skill-orchestrator audit key id" + key).hexdigest()[:16]
