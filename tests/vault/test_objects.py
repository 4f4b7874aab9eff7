"""What is kept is what was given, once, and only what nobody needs goes."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.errors import VaultError
from orchestrator.vault import objects as module
from orchestrator.vault.descriptors import DIRECTORY, opened
from orchestrator.vault.objects import Objects
from tests.vault.conftest import NEEDS_ROOT

ABSENT = "0" * 64


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(tmp_path / "state" / "objects")


@pytest.fixture
def put(objects: Objects, tmp_path: Path) -> Callable[[bytes], str]:
    def from_file(content: bytes) -> str:
        source = tmp_path / "source"
        source.write_bytes(content)
        with source.open("rb") as file:
            sha256, size = objects.add(file.fileno())
        assert (sha256, size) == (digest_of(content), len(content))
        return sha256

    return from_file


Put = Callable[[bytes], str]


def path_of(objects: Objects, sha256: str) -> Path:
    return objects.directory / sha256[:2] / sha256[2:]


def files(objects: Objects) -> list[Path]:
    return sorted(path for path in objects.directory.rglob("*") if not path.is_dir())


def adopt(objects: Objects, path: Path, sha256: str) -> None:
    with opened(os.open(path.parent, DIRECTORY)) as parent:
        objects.adopt((parent, os.fsencode(path.name)), sha256)


@pytest.mark.parametrize("content", [b"", b"a note\n", bytes(range(256)) * 4096], ids=["empty", "note", "1 MiB"])
def test_content_comes_back(objects: Objects, put: Put, content: bytes) -> None:
    sha256 = put(content)
    assert objects.read(sha256, len(content)) == content
    with opened(objects.open(sha256)) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        assert file.read() == content
    assert objects.has(sha256)
    assert list(objects.digests()) == [sha256]
    assert objects.size_bytes() == len(content)
    assert list(objects.damaged()) == []


def test_private(objects: Objects, put: Put) -> None:
    path = path_of(objects, put(b"x"))
    modes = [entry.stat().st_mode & 0o777 for entry in (objects.directory, path.parent, path)]
    assert modes == [0o700, 0o700, 0o600]


def test_added_from_the_offset_on(objects: Objects, tmp_path: Path) -> None:
    (tmp_path / "note").write_bytes(b"head and tail")
    with opened(os.open(tmp_path / "note", os.O_RDONLY)) as source:
        os.lseek(source, 9, os.SEEK_SET)
        assert objects.add(source, sync=False) == (digest_of(b"tail"), 4)


def test_added_from_a_pipe(objects: Objects) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"piped")
    os.close(writer)
    with opened(reader):
        assert objects.add(reader) == (digest_of(b"piped"), 5)


def test_the_same_content_is_kept_once(objects: Objects, put: Put) -> None:
    sha256 = put(b"same")
    first = path_of(objects, sha256).stat()
    assert put(b"same") == sha256
    again = path_of(objects, sha256).stat()
    assert (again.st_ino, again.st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert len(files(objects)) == 1


def test_a_truncated_object_is_replaced(objects: Objects, put: Put) -> None:
    sha256 = put(b"whole content")
    path_of(objects, sha256).write_bytes(b"whole")
    assert put(b"whole content") == sha256
    assert objects.read(sha256, 100) == b"whole content"


def test_a_failed_add_leaves_nothing(objects: Objects, tmp_path: Path) -> None:
    with opened(os.open(tmp_path, DIRECTORY)) as source, pytest.raises(IsADirectoryError):
        objects.add(source)
    assert files(objects) == []


def test_read_gives_nothing_it_should_not(objects: Objects, put: Put) -> None:
    sha256 = put(b"12345")
    assert objects.read(sha256, 4) is None
    assert objects.read(ABSENT, 100) is None
    path_of(objects, sha256).write_bytes(b"54321")
    assert objects.read(sha256, 100) is None


def test_absent(objects: Objects, put: Put) -> None:
    assert not objects.has(ABSENT)
    with pytest.raises(FileNotFoundError):
        objects.open(ABSENT)
    objects.discard(ABSENT)
    sha256 = put(b"x")
    objects.discard(sha256)
    assert not objects.has(sha256)
    objects.discard(sha256)


@pytest.mark.parametrize("digest", ["", "ab", "../" * 21 + "x", "A" * 64, "0" * 63, "0" * 64 + "\n", "g" * 64])
def test_not_a_digest(objects: Objects, tmp_path: Path, digest: str) -> None:
    (tmp_path / "file").write_text("stays")
    for use in (objects.open, objects.has, objects.discard, lambda text: objects.read(text, 10)):
        with pytest.raises(ValueError, match="64"):
            use(digest)
    with pytest.raises(ValueError, match="64"):
        adopt(objects, tmp_path / "file", digest)
    assert (tmp_path / "file").exists()


@pytest.mark.parametrize("kind", ["link", "directory", "fifo", "socket"])
def test_only_a_regular_file_is_an_object(objects: Objects, put: Put, tmp_path: Path, kind: str) -> None:
    path = path_of(objects, put(b"x"))
    path.unlink()
    if kind == "link":
        (tmp_path / "elsewhere").write_bytes(b"x")
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "directory":
        path.mkdir()
    else:
        os.mknod(path, 0o600 | {"fifo": 0o010000, "socket": 0o140000}[kind])
    sha256 = digest_of(b"x")
    assert not objects.has(sha256)
    assert list(objects.digests()) == []
    with pytest.raises(FileNotFoundError):
        objects.open(sha256)
    if kind != "directory":
        assert put(b"x") == sha256
        assert objects.read(sha256, 1) == b"x"


def test_damage_is_found(objects: Objects, put: Put) -> None:
    good, changed, cut = (put(content) for content in (b"good", b"to be changed", b"to be cut"))
    path_of(objects, changed).write_bytes(b"to be CHANGED")
    path_of(objects, cut).write_bytes(b"")
    assert sorted(objects.damaged()) == sorted([changed, cut])
    assert objects.has(good)


def test_what_is_no_object_is_not_listed(objects: Objects, put: Put) -> None:
    sha256 = put(b"x")
    path_of(objects, sha256).with_name("stray").write_text("stray")
    (objects.directory / "notes").mkdir()
    assert list(objects.digests()) == [sha256]
    assert objects.size_bytes() == 1


def test_prune_keeps_what_it_is_told(objects: Objects, put: Put) -> None:
    kept, gone, empty = put(b"kept"), put(b"gone!"), put(b"")
    assert objects.prune({kept, ABSENT}, grace_seconds=0) == 5
    assert list(objects.digests()) == [kept]
    assert not objects.has(gone)
    assert not objects.has(empty)


def test_prune_spares_the_young(objects: Objects, put: Put) -> None:
    put(b"young")
    assert objects.prune(()) == 0
    assert objects.size_bytes() == 5


def test_content_that_is_added_again_is_young_again(
    objects: Objects, put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change time cannot be set, so the clock is: a minute on for ``prune``, not for the file system."""
    added, adopted, old = put(b"added"), put(b"adopted"), put(b"old")
    before = {sha256: path_of(objects, sha256).stat().st_ctime_ns for sha256 in (added, adopted, old)}
    while not _later_than(max(before.values()), tmp_path / "clock"):
        pass
    put(b"added")
    (tmp_path / "replaced").write_bytes(b"adopted")
    adopt(objects, tmp_path / "replaced", adopted)
    after = {sha256: path_of(objects, sha256).stat().st_ctime_ns for sha256 in (added, adopted, old)}
    now = SimpleNamespace(time=lambda: before[old] / 1e9 + 60)
    monkeypatch.setattr(module, "time", now)
    assert [after[sha256] > before[sha256] for sha256 in (added, adopted, old)] == [True, True, False]
    oldest_young = min(after[added], after[adopted])
    assert objects.prune((), grace_seconds=60 - (oldest_young - before[old]) / 2e9) == 3
    assert sorted(objects.digests()) == sorted([added, adopted])


def _later_than(moment_ns: int, probe: Path) -> bool:
    """Whether the file system's clock, which ticks coarsely, has moved on by some milliseconds."""
    probe.write_text("x")
    return probe.stat().st_ctime_ns > moment_ns + 20_000_000


def test_prune_removes_what_a_crash_left(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    (objects.directory / "new-0123").write_bytes(b"half")
    assert objects.prune((), grace_seconds=0) == 0
    monkeypatch.setattr(module, "_ABANDONED_SECONDS", 0.0)
    assert objects.prune((), grace_seconds=0) == 4
    assert files(objects) == []


def test_adopt_takes_the_file_itself(objects: Objects, tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_bytes(b"before")
    note.chmod(0o4755)
    inode = note.stat().st_ino
    adopt(objects, note, digest_of(b"before"))
    assert not note.exists()
    taken = path_of(objects, digest_of(b"before")).stat()
    assert (taken.st_ino, taken.st_mode & 0o7777, taken.st_uid) == (inode, 0o600, os.geteuid())
    assert objects.read(digest_of(b"before"), 6) == b"before"


@NEEDS_ROOT
def test_adopt_makes_the_file_ours(objects: Objects, tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_bytes(b"theirs")
    note.chmod(0)
    os.chown(note, 1000, 1000)
    adopt(objects, note, digest_of(b"theirs"))
    taken = path_of(objects, digest_of(b"theirs")).stat()
    assert (taken.st_uid, taken.st_gid, taken.st_mode & 0o7777) == (os.geteuid(), os.getegid(), 0o600)


def test_adopt_of_known_content_only_removes_the_file(objects: Objects, put: Put, tmp_path: Path) -> None:
    sha256 = put(b"known")
    inode = path_of(objects, sha256).stat().st_ino
    (tmp_path / "note").write_bytes(b"known")
    adopt(objects, tmp_path / "note", sha256)
    assert not (tmp_path / "note").exists()
    assert path_of(objects, sha256).stat().st_ino == inode


def test_adopt_copies_a_file_with_another_link(objects: Objects, tmp_path: Path) -> None:
    note, other = tmp_path / "note", tmp_path / "other"
    note.write_bytes(b"shared")
    other.hardlink_to(note)
    adopt(objects, note, digest_of(b"shared"))
    assert not note.exists()
    other.write_bytes(b"SHARED")
    assert objects.read(digest_of(b"shared"), 6) == b"shared"


def test_adopt_copies_from_another_file_system(objects: Objects, tmp_path: Path) -> None:
    shm = Path("/dev/shm")
    if not os.access(shm, os.W_OK) or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    note = shm / f"adopted-{os.getpid()}"
    try:
        note.write_bytes(b"far away")
        with pytest.raises(ValueError, match="digest"):
            adopt(objects, note, ABSENT)
        assert note.exists()
        adopt(objects, note, digest_of(b"far away"))
        assert not note.exists()
    finally:
        note.unlink(missing_ok=True)
    assert objects.read(digest_of(b"far away"), 100) == b"far away"


def test_adopt_refuses_a_link(objects: Objects, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"x")
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(ValueError, match="regular"):
        adopt(objects, tmp_path / "link", digest_of(b"x"))
    with pytest.raises(FileNotFoundError):
        adopt(objects, tmp_path / "missing", digest_of(b"x"))
    assert (tmp_path / "link").is_symlink()


def test_threads_agree(objects: Objects, tmp_path: Path) -> None:
    """Many writers of few contents, each with a view of its own (as another process has), while others prune."""
    contents = [b"%d" % index * 10_000 for index in range(4)]
    start = threading.Barrier(8)

    def write(worker: int) -> None:
        own = Objects(objects.directory)
        start.wait()
        for turn in range(20):
            content = contents[(worker + turn) % len(contents)]
            source = tmp_path / f"source-{worker}"
            source.write_bytes(content)
            sha256 = digest_of(content)
            if turn % 2:
                adopt(own, source, sha256)
            else:
                with opened(os.open(source, os.O_RDONLY)) as descriptor:
                    assert own.add(descriptor, sync=False)[0] == sha256
            assert own.read(sha256, 100_000) == content
            assert own.prune(()) == 0

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert list(objects.digests()) == sorted(map(digest_of, contents))
    assert list(objects.damaged()) == []
    assert len(files(objects)) == len(contents)


def test_a_link_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(VaultError, match="cannot be opened"):
        Objects(tmp_path / "link")


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(VaultError, match="cannot be opened"):
        Objects(tmp_path / "file")


def test_a_linked_shelf_is_not_followed(objects: Objects, put: Put, tmp_path: Path) -> None:
    path = path_of(objects, put(b"x"))
    path.parent.rename(tmp_path / "away")
    path.parent.symlink_to(tmp_path / "away")
    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        objects.open(digest_of(b"x"))


def test_a_store_others_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o770)
    with pytest.raises(VaultError, match="writable by others"):
        Objects(tmp_path / "open")


@NEEDS_ROOT
def test_a_store_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    os.chown(tmp_path / "theirs", 1000, 1000)
    with pytest.raises(VaultError, match="writable by others"):
        Objects(tmp_path / "theirs")
