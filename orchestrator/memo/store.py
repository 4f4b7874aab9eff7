"""``Store``: recorded results as private files, below the cache directory: safe to delete, and of no use elsewhere.

Layout, 0700 and 0600: ``<directory>/<64 hex digits>``, the name being the key of the result. An entry is an HMAC-SHA256
over its name and what follows, a line end, and one JSON object. It takes its place by a rename. An entry that is not
exactly that - cut off by a crash, put there or edited by somebody without the key, under another name than it was made
for - is none, and is removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from loguru import logger

from orchestrator.private import evict, is_private, make_directory, make_once, read_private, write_private

MAX_ENTRIES: Final = 1000
MAX_BYTES: Final = 64 * 2**20
MAX_ENTRY_BYTES: Final = 2**20
_SEAL: Final = 65  # hex digits and a line end
_OTHERS: Final = 0o077  # outputs may hold what notes say: others may not even read them
SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Store:
    """Every method is total: a store that does not work is an empty one. Safe among threads and processes."""

    directory: Path
    secret: bytes = field(repr=False)
    max_entries: int = MAX_ENTRIES
    max_bytes: int = MAX_BYTES

    def get(self, key: str) -> dict[str, Any] | None:
        path = self.directory / key
        try:
            if not is_private(self.directory.lstat(), stat.S_ISDIR, forbidden=_OTHERS):
                logger.warning("recorded results: {} is open to others and is not used", self.directory)
                return None
            return self._opened(read_private(path, MAX_ENTRY_BYTES + _SEAL, forbidden=_OTHERS), key)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            logger.warning("a recorded result is not used, and removed: {!r}", error)
            self.drop(key)
            return None

    def put(self, key: str, document: dict[str, Any]) -> bool:
        """Whether it was stored: not where it is too large."""
        body = json.dumps(document, ensure_ascii=True, allow_nan=False).encode()
        if len(body) > MAX_ENTRY_BYTES:
            return False
        try:
            make_directory(self.directory, forbidden=_OTHERS)
            write_private(self.directory / key, self._seal(key, body) + b"\n" + body)
            evict(self.directory, max_entries=self.max_entries, max_bytes=self.max_bytes)
        except OSError as error:
            logger.debug("a result is not recorded: {!r}", error)
            return False
        return True

    def drop(self, key: str) -> None:
        with contextlib.suppress(OSError):
            (self.directory / key).unlink()

    def _seal(self, key: str, body: bytes) -> bytes:
        return hmac.new(self.secret, f"{key}\n".encode() + body, hashlib.sha256).hexdigest().encode()

    def _opened(self, raw: bytes, key: str) -> dict[str, Any]:
        seal, _, body = raw.partition(b"\n")
        if not hmac.compare_digest(seal, self._seal(key, body)):
            raise ValueError("it is damaged, or somebody changed it")
        found = json.loads(body)
        if not isinstance(found, dict):
            raise ValueError("it is no object")  # noqa: TRY004 - a value from a file
        return found


def secret_at(path: Path) -> bytes:
    """The key of a state directory: 32 random bytes in a private file, made on first use. Raises ``OSError`` for what
    is no such file."""
    make_once(path, secrets.token_bytes(SECRET_BYTES))
    secret = read_private(path, MAX_ENTRY_BYTES + _SEAL, forbidden=_OTHERS)
    if len(secret) != SECRET_BYTES:
        raise PermissionError(f"{path} is not {SECRET_BYTES} bytes long")
    return secret
