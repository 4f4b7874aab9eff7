"""The records as plain values. Their field names are the column names of ``tables``.

Times are Unix seconds, except ``*mtime_ns`` (nanoseconds). Hashes are lower-case hex, "" where there is no content.
Paths are POSIX and relative to the vault, unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SetState = Literal["committed", "held", "rejected", "expired", "superseded", "rolled_back"]
ReviewKind = Literal["changes", "failure"]
ReviewState = Literal["pending", "approved", "rejected", "expired"]
Decision = Literal["approved", "rejected", "expired"]


@dataclass(frozen=True, slots=True)
class StoredChange:
    """One change of a set. ``size`` (bytes) and ``sha256`` describe the new content, ``before_*`` what was there:
    "" and None where there was nothing. ``moved_from`` is "" unless the entry was moved."""

    kind: Literal["created", "modified", "deleted"]
    path: str
    moved_from: str = ""
    directory: bool = False
    size: int = 0
    sha256: str = ""
    before_sha256: str = ""
    before_mode: int | None = None
    before_uid: int | None = None
    before_gid: int | None = None
    before_mtime_ns: int | None = None


@dataclass(frozen=True, slots=True)
class StoredSet:
    """What one run changed, or wants to. ``skill`` is "name@version", ``vault`` an absolute path, ``digest`` that of
    the changes, ``note`` says why it is held (and the like), ``undoes`` is the run it rolls back, or ""."""

    run_id: str
    skill: str
    code_sha256: str
    manifest_digest: str
    level: str
    vault: str
    state: SetState
    digest: str
    created_at: float
    note: str = ""
    undoes: str = ""
    changes: tuple[StoredChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """A question to a person about a run. ``manifest`` is the whole manifest with its code, as JSON values."""

    id: str
    run_id: str
    kind: ReviewKind
    reasons: tuple[str, ...]
    digest: str
    code_sha256: str
    manifest_digest: str
    manifest: Mapping[str, Any]
    created_at: float
    expires_at: float
    state: ReviewState = "pending"
    decided_at: float | None = None
    decided_by: str = ""
    comment: str = ""
    vault: str = ""  # absolute path


@dataclass(frozen=True, slots=True)
class ReviewEdit:
    """A person changed the content that a review is about. Digests are those of the change set before and after."""

    review_id: str
    at: float
    by: str
    former_digest: str
    digest: str


@dataclass(frozen=True, slots=True)
class ReviewNote:
    """The note in the vault that tells of a review, as we wrote it last."""

    review_id: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class SnapshotEntry:
    path: str
    directory: bool = False
    size: int = 0
    sha256: str = ""
    mode: int = 0
    mtime_ns: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How the directories ``roots`` looked. Entries have unique paths, and come back sorted by path."""

    id: str
    created_at: float
    roots: tuple[str, ...]
    label: str = ""
    entries: tuple[SnapshotEntry, ...] = ()
    vault: str = ""  # absolute path
