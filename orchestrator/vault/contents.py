"""Reading files whose hash or content we want. Regular files only, never through a link, never blocking."""

from __future__ import annotations

import hashlib
import os
import stat

from orchestrator.vault.changes import Attributes, Identity
from orchestrator.vault.descriptors import chunks, open_file, opened
from orchestrator.vault.durable import Place


def hashed_at(place: Place) -> tuple[str, Identity, Attributes]:
    """Hex SHA-256, identity and attributes of the file at ``place``. FileNotFoundError where there is none, and for
    anything but a regular file. If it changes while it is read, the identity is that of before."""
    with opened(open_file(place[1], place[0])) as descriptor:
        entry = os.fstat(descriptor)
        if not stat.S_ISREG(entry.st_mode):
            raise FileNotFoundError(f"no regular file: {place[1]!r}")
        digest = hashlib.sha256()
        for piece in chunks(descriptor):
            digest.update(piece)
        return digest.hexdigest(), Identity.of(entry), Attributes.of(entry)


def read_at(place: Place, at_most: int) -> bytes | None:
    """The content of the regular file at ``place``; None where there is none or it is longer than ``at_most`` bytes."""
    try:
        with opened(open_file(place[1], place[0])) as descriptor:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            content = bytearray()
            while len(content) <= at_most and (piece := os.read(descriptor, at_most - len(content) + 1)):
                content += piece
            return bytes(content) if len(content) <= at_most else None
    except OSError:
        return None
