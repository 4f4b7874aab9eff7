"""``DiskCache``: inspections kept between processes, below the user's cache directory.

Layout, 0700 and 0600: ``<cache_dir>/scans/<64 hex digits>``, the name being the SHA-256 of the code's digest and the
rule set's. An entry is the SHA-256 of what follows, a line end, both digests in one line, and the inspection. It takes
its place by a rename. An entry that is not exactly that - cut off by a crash, of another rule set, not ours, too large
- is no entry, and is removed.

Trust: who may write here may say that code is clean. So the same rule holds as for accepted policies: a directory that
is not ours, or that others may write, is not used at all. There is no key: it would have to lie in a directory of the
same owner. Nothing inside a sandbox sees this directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loguru import logger

from orchestrator.private import evict, is_private, make_directory, read_private, write_private
from orchestrator.validation.inspection import Inspection, Malformed, decode, encode

MAX_ENTRIES: Final = 1000
MAX_BYTES: Final = 16 * 2**20
_SEAL: Final = 65  # bytes of a hex SHA-256 and a line's end
MAX_ENTRY_BYTES: Final = 256 * 1024  # some 1000 findings; a skill with more is denied, and scanned again


@dataclass(frozen=True, slots=True)
class DiskCache:
    """``ruleset`` is the digest of the scanner that makes the inspections. Every method is total: a cache that does not
    work is an empty one. Safe among threads and processes."""

    directory: Path
    ruleset: str
    max_entries: int = MAX_ENTRIES
    max_bytes: int = MAX_BYTES

    def get(self, digest: str) -> Inspection | None:
        path = self._path(digest)
        try:
            if not is_private(self.directory.lstat(), stat.S_ISDIR):
                logger.warning("scans: {} can be written by others and is not used", self.directory)
                return None
            raw = read_private(path, MAX_ENTRY_BYTES + _SEAL)
            found = self._opened(raw, digest)
            os.utime(path)  # used last: evicted last
        except FileNotFoundError:
            return None
        except (OSError, Malformed) as error:
            logger.debug("scans: {} is dropped: {!r}", path, error)
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        return found

    def put(self, inspection: Inspection) -> None:
        body = f"{self.ruleset} {inspection.code_digest}\n".encode() + encode(inspection)
        if len(body) > MAX_ENTRY_BYTES:
            return
        try:
            make_directory(self.directory)
            write_private(self._path(inspection.code_digest), _sealed(body))
            evict(self.directory, max_entries=self.max_entries, max_bytes=self.max_bytes)
        except OSError as error:
            logger.debug("scans: an inspection is not kept: {!r}", error)

    def _path(self, digest: str) -> Path:
        return self.directory / hashlib.sha256(f"{self.ruleset} {digest}".encode()).hexdigest()

    def _opened(self, raw: bytes, digest: str) -> Inspection:
        seal, _, body = raw.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != seal:
            raise Malformed("damaged")
        head, _, encoded = body.partition(b"\n")
        if head != f"{self.ruleset} {digest}".encode():
            raise Malformed("of another rule set or code")
        return decode(encoded, digest)


def _sealed(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body
