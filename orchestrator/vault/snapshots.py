"""``Snapshots``: how directories of the vault looked, content and all, so that they can be made to look so again.

A snapshot is regular files and directories; links, special files, names that are not UTF-8 and what lies on another
file system are neither recorded nor ever removed. Contents are kept once, however many snapshots hold them. A restore
is one transaction of ``History``: all of it or nothing, refused where the vault changes meanwhile, and undone like
what a run did.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from loguru import logger

from orchestrator.errors import VaultError
from orchestrator.records import Snapshot, SnapshotEntry, StoredSet
from orchestrator.validation.finding import Finding
from orchestrator.vault.baseline import Kind, kind_of
from orchestrator.vault.changes import Attributes, Change, Identity
from orchestrator.vault.descriptors import DIRECTORY, chunks, lstat, names, open_file, opened
from orchestrator.vault.durable import Place, sync_file_system
from orchestrator.vault.history import History, RunFacts
from orchestrator.vault.names import shown
from orchestrator.vault.objects import Objects
from orchestrator.vault.reach import Reach
from orchestrator.vault.restage import Wanted, root_reach
from orchestrator.vault.root import HIDDEN, Vault
from orchestrator.vault.rules import ChangesRefused, finding
from orchestrator.vault.scope import parts

_ATTEMPTS = 3  # to read a file that changes meanwhile
_NAMED = 20  # of the paths that were left out
_ALL_SETS = 2**31 - 1
_Listing = list[Snapshot]


class Snapshots:
    """Of the vault of ``history``. Thread-safe as far as that is."""

    def __init__(self, history: History) -> None:
        self._history = history

    def create(self, roots: Sequence[str], label: str = "") -> Snapshot:
        """Keep how the directories ``roots`` (POSIX, below the vault; "." is all of it) look; what was recorded.

        Others may write meanwhile: each file is then whole, but one may be older than another. What is left out is
        logged. ``VaultError`` when a root is no plain directory of the vault, a file never comes to rest, or something
        cannot be read or kept; then nothing is recorded.
        """
        objects = self._history.objects
        asked = sorted(_checked(root) for root in roots)
        merged = _merged(asked)
        with _walking(self._history.vault, objects) as walk:
            for each in asked:
                walk.require_directory("/".join(each))
            for root in merged:
                walk.look(root)
            walk.at = str(objects.directory)
            with opened(os.open(objects.directory, DIRECTORY)) as kept:
                sync_file_system(kept)
        entries = tuple(seen.entry(path) for path, seen in sorted(walk.found.items()) if seen.kind != "other")
        text = label.encode(errors="replace").decode()  # a command line's may hold what no record can
        snapshot = Snapshot(secrets.token_hex(6), time.time(), merged, text, entries, str(self._history.vault.root))
        self._record(snapshot)
        _log_left_out(snapshot, sorted(path for path, seen in walk.found.items() if seen.kind == "other"))
        return snapshot

    def _record(self, snapshot: Snapshot) -> None:
        """And make sure of the contents: one that was not referred to until now may just have been pruned."""
        self._history.records.add_snapshot(snapshot)
        sizes = {entry.sha256: entry.size for entry in snapshot.entries if not entry.directory}
        if not all(_renewed(self._history.objects, sha256, size) for sha256, size in sizes.items()):
            self._history.records.forget_snapshot(snapshot.id)
            raise VaultError("what was kept for the snapshot was cleared away meanwhile", hint="take it once more")

    def list(self) -> _Listing:
        """Newest first, without their entries."""
        ours = str(self._history.vault.root)
        return [each for each in self._history.records.snapshots() if each.vault == ours]

    def forget(self, snapshot_id: str) -> None:
        """Its contents go with the next ``History.prune``, where nothing else needs them."""
        self._known(snapshot_id)
        self._history.records.forget_snapshot(snapshot_id)

    def restore(self, snapshot_id: str) -> StoredSet:
        """Make the snapshot's roots what they were; the record of that, which has no changes (and is not kept) when
        they are so already. Files get their content, mode and time back, with the owner they have now.

        A directory that is still there keeps its mode. Links and special files stay, and so do the directories that
        hold them. Raises ``ChangesRefused`` where they, or another's file, are in the way, or somebody changed
        something meanwhile, and ``VaultError`` when the snapshot is unknown or its content is not kept (any more).
        """
        snapshot, history = self._known(snapshot_id), self._history
        facts = RunFacts("restore-" + secrets.token_hex(8), "snapshot")
        with _walking(history.vault) as walk:
            ways = {path: wanted for root in snapshot.roots for path, wanted in walk.way_to(root).items()}
            for root in snapshot.roots:
                if root.rpartition("/")[0] not in ways:
                    walk.look(root)
            wanted = [*ways.values(), *_Difference(history.vault, walk.found, snapshot.entries).wanted()]
            walk.at = f"snapshot {snapshot.id}"
            if wanted:
                with history.staged(wanted) as changes:
                    history.commit(changes, facts)
        return history.records.set_of(facts.run_id) or history.stored(facts, (), "committed")

    def verify(self) -> tuple[str, ...]:
        """What of this vault's history and snapshots cannot be restored, a sentence for each content that is damaged
        or missing; () when all is well. Reads everything that is kept."""
        history = self._history
        needed = self._needed()
        lost = dict.fromkeys(history.objects.damaged(), "damaged")
        missing = [sha256 for sha256 in needed if not history.objects.has(sha256)]
        if missing:
            with history.vault.locked():  # a commit records what it replaced just before it keeps it
                lost |= {sha256: "missing" for sha256 in missing if not history.objects.has(sha256)}
        return tuple(_loss(sha256, how, needed.get(sha256)) for sha256, how in sorted(lost.items()))

    def _needed(self) -> Mapping[str, Counter[str]]:
        """Digests, and how many files of snapshots and changes of runs could not be restored without each.

        Not ``records.referenced()``: that also has what a run wrote, which lies in the vault only.
        """
        needed = dict[str, Counter[str]]()
        for listed in self.list():
            found = self._history.records.snapshot(listed.id)
            for entry in found.entries if found is not None else ():
                needed.setdefault(entry.sha256, Counter())["snapshot file"] += 1
        for stored in self._history.sets(limit=_ALL_SETS):
            if stored.state in ("held", "committed"):
                for change in stored.changes:
                    sha256 = change.sha256 if stored.state == "held" else change.before_sha256
                    needed.setdefault(sha256, Counter())["run change"] += 1
        needed.pop("", None)
        return needed

    def _known(self, snapshot_id: str) -> Snapshot:
        found = self._history.records.snapshot(snapshot_id) if snapshot_id.isascii() else None
        if found is None or found.vault != str(self._history.vault.root):
            raise VaultError(f"there is no snapshot {shown(snapshot_id)}", hint="list the snapshots to see their ids")
        return found


# --- what is there -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """An entry of the vault. ``mode``: permission bits; of a file without set-id bits, which no note has a use for."""

    kind: Kind  # other: what snapshots leave alone
    uid: int = 0
    mode: int = 0
    gid: int = 0
    mtime_ns: int = 0
    size: int = 0
    sha256: str = ""

    @classmethod
    def of(cls, kind: Kind, entry: os.stat_result, size: int = 0, sha256: str = "") -> _Seen:
        mode = stat.S_IMODE(entry.st_mode) & (0o777 if kind == "file" else 0o7777)
        return cls(kind, entry.st_uid, mode, entry.st_gid, entry.st_mtime_ns, size, sha256)

    def entry(self, path: str) -> SnapshotEntry:
        return SnapshotEntry(path, self.kind == "directory", self.size, self.sha256, self.mode, self.mtime_ns)


class _Walk:
    """``found``: every entry at and below the paths that were looked at (but for the vault itself, and our own hidden
    directory). With ``objects``, contents are kept there."""

    def __init__(self, reach: Reach, device: int, objects: Objects | None) -> None:
        self._reach, self._device, self._objects = reach, device, objects
        self._waiting: list[str] = []
        self.found: dict[str, _Seen] = {}
        self.at = "."  # the path last looked at: for messages

    def require_directory(self, root: str) -> None:
        self.at = root
        try:
            with self._reach.parent(f"{root}/."):
                pass
        except ChangesRefused as refused:
            raise VaultError(
                f"{shown(root)} is no plain directory of the vault", hint="name directories, not notes or links"
            ) from refused

    def way_to(self, root: str) -> dict[str, Wanted]:
        """The directories to make so that ``root`` has a parent. ``ChangesRefused`` when something else is there."""
        missing: dict[str, Wanted] = {}
        for path in _ancestors(root):
            if not missing:
                with self._reach.parent(path) as (parent, name):
                    entry = lstat(name, parent)
                if entry is not None and not stat.S_ISDIR(entry.st_mode):
                    raise ChangesRefused((finding("VLT302", root),))
                if entry is not None:
                    continue
            missing[path] = Wanted(Change("created", path, directory=True), None)
        return missing

    def look(self, root: str) -> None:
        """At ``root``, and what is below it. Iterative, and no descriptor stays open from one directory to the next:
        a tree may be as deep as it likes."""
        if root == ".":
            self._waiting.append("")
        else:
            with self._reach.parent(root) as place:
                self._look_at(root, place)
        while self._waiting:
            path = self._waiting.pop()
            try:
                with self._reach.parent(f"{path}/.") as (directory, _):
                    for name in names(directory):
                        self._look_at(f"{path}/{name}" if path else name, (directory, os.fsencode(name)))
            except ChangesRefused as refused:
                raise VaultError(
                    f"{shown(path)} was moved while it was read", hint="try again when nothing moves directories"
                ) from refused

    def _look_at(self, path: str, place: Place) -> None:
        if path == HIDDEN:
            return
        self.at = path
        entry = lstat(place[1], place[0])
        if entry is None:
            return
        kind = kind_of(entry.st_mode)
        if entry.st_dev != self._device or not _encodable(path):
            kind = "other"
        if kind == "file":
            self._read(path, place)
            return
        self.found[path] = _Seen.of(kind, entry)
        if kind == "directory":
            self._waiting.append(path)

    def _read(self, path: str, place: Place) -> None:
        for _ in range(_ATTEMPTS):
            try:
                with opened(open_file(place[1], place[0])) as source:
                    seen = self._content(source)
            except FileNotFoundError:
                return  # removed since its directory was listed
            except OSError as error:
                if error.errno not in {errno.ELOOP, errno.ENXIO}:  # a link, a socket: replaced meanwhile
                    raise
                seen = None
            if seen is not None:
                self.found[path] = seen
                return
        raise VaultError(f"{shown(path)} keeps changing while it is read", hint="close what writes to it")

    def _content(self, source: int) -> _Seen | None:
        """None: it changed while it was read."""
        before = os.fstat(source)
        if not stat.S_ISREG(before.st_mode):
            return None
        digest, size = hashlib.sha256(), 0
        for piece in chunks(source):
            size += len(piece)
            digest.update(piece)
            if size > before.st_size:
                return None  # growing: its end may never come
        sha256 = digest.hexdigest()
        if self._objects is not None and not _renewed(self._objects, sha256, size):
            os.lseek(source, 0, os.SEEK_SET)
            if self._objects.add(source, sync=False)[0] != sha256:
                return None
        same = Identity.of(before) == Identity.of(os.fstat(source))
        return _Seen.of("file", before, size, sha256) if same else None


@contextmanager
def _walking(vault: Vault, objects: Objects | None = None) -> Iterator[_Walk]:
    with opened(vault.open()) as root:
        walk = _Walk(root_reach(root), vault.device, objects)
        try:
            yield walk
        except OSError as error:
            raise VaultError(
                f"nothing was done: {shown(walk.at)}: {error.strerror or error}",
                hint="check the space, owner and modes of the vault and the state_dir",
            ) from error


# --- what must change --------------------------------------------------------------------------------------------


class _Difference:
    """From what is there to what was there."""

    def __init__(self, vault: Vault, found: Mapping[str, _Seen], entries: Iterable[SnapshotEntry]) -> None:
        self._vault, self._now = vault, found
        self._then = {entry.path: entry for entry in entries}
        self._staying = {
            each for path, seen in found.items() if seen.kind == "other" for each in (path, *_ancestors(path))
        }
        self._refusals: list[Finding] = []

    def wanted(self) -> list[Wanted]:
        wanted = [each for path in sorted(self._now.keys() | self._then.keys()) for each in self._at(path)]
        if self._refusals:
            raise ChangesRefused(tuple(self._refusals))
        return wanted

    def _at(self, path: str) -> Iterator[Wanted]:
        now, then = self._now.get(path), self._then.get(path)
        if now is not None and then is not None and then.directory == (now.kind == "directory") and now.kind != "other":
            if not then.directory and then != now.entry(path):
                yield self._modified(then, now)
            return
        if path in self._staying:
            if then is not None:
                self._refusals.append(finding("VLT112", path, "the snapshot has something else there: move it away"))
            return
        if now is not None:
            yield Wanted(Change("deleted", path, directory=now.kind == "directory"), now.sha256)
        if then is not None:
            change = Change("created", path, then.size, then.sha256, then.directory)
            yield Wanted(change, None, Attributes(then.mode, self._vault.uid, self._vault.gid, then.mtime_ns))

    def _modified(self, then: SnapshotEntry, now: _Seen) -> Wanted:
        if os.geteuid() not in {0, now.uid}:
            self._refusals.append(finding("VLT303", then.path))
        change = Change("modified", then.path, then.size, then.sha256)
        return Wanted(change, now.sha256, Attributes(then.mode, now.uid, now.gid, then.mtime_ns))


# --- small things ------------------------------------------------------------------------------------------------


def _merged(roots: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Of sorted ones: each directory once, and none that lies in another."""
    kept: list[tuple[str, ...]] = []
    for root in roots:
        if not kept or root[: len(kept[-1])] != kept[-1]:
            kept.append(root)
    if not kept:
        raise VaultError("a snapshot of nothing", hint='name directories below the vault; "." is all of it')
    return tuple("/".join(root) or "." for root in kept)


def _checked(root: str) -> tuple[str, ...]:
    if not root or root.startswith("/") or not _encodable(root):
        raise VaultError(f"no path below the vault: {shown(root)!r}", hint="name directories as seen from the vault")
    found = parts(root)
    if found[:1] == (HIDDEN,):
        raise VaultError(f"{shown(root)} belongs to the orchestrator itself", hint="name directories of notes")
    return found


def _ancestors(path: str) -> Iterator[str]:
    """The directories on the way to ``path``, outermost first, without the vault itself."""
    return (path[:position] for position, letter in enumerate(path) if letter == "/")


def _encodable(path: str) -> bool:
    """Whether it is UTF-8: other names have surrogates here, which can neither be recorded nor reached."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _renewed(objects: Objects, sha256: str, size: int) -> bool:
    """Whether that content is kept; then it counts as new, so that pruning, which does not know yet who needs it,
    spares it. One of another size is damaged, and as good as none."""
    try:
        with opened(objects.open(sha256)) as kept:
            os.fchmod(kept, 0o600)  # sets the change time
            right = os.fstat(kept).st_size == size
    except (FileNotFoundError, PermissionError):
        return False
    return right and objects.has(sha256)  # not taken off its shelf just before it was new again


def _log_left_out(snapshot: Snapshot, paths: Sequence[str]) -> None:
    if paths:
        named = ", ".join(shown(path) for path in paths[:_NAMED])
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        logger.warning("snapshot {} leaves out links, special files and the like: {}{}", snapshot.id, named, more)


def _loss(sha256: str, how: str, needed: Counter[str] | None) -> str:
    counts = needed or Counter()
    uses = " and ".join(f"{count} {what}{'' if count == 1 else 's'}" for what, count in sorted(counts.items()))
    return f"the kept content {sha256[:12]} is {how}: " + (f"{uses} cannot be restored" if uses else "nothing needs it")
