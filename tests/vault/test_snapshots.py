"""A restore makes a tree exactly what the snapshot saw, in one transaction, and touches nothing else."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loguru import logger

from orchestrator.errors import VaultError
from orchestrator.records import Database, Records, Snapshot
from orchestrator.vault import snapshots as module
from orchestrator.vault.changes import Change
from orchestrator.vault.descriptors import chunks, open_file
from orchestrator.vault.history import History, RunFacts, objects_of
from orchestrator.vault.objects import Objects
from orchestrator.vault.recovery import recover
from orchestrator.vault.restage import Wanted
from orchestrator.vault.root import HIDDEN, Vault
from orchestrator.vault.rules import ChangesRefused
from orchestrator.vault.snapshots import Snapshots
from tests.vault.conftest import NEEDS_ROOT
from tests.vault.faults import at, die, killed, names_of
from tests.vault.world import OWNER, as_owner

ABSENT = hashlib.sha256(b"never kept").hexdigest()
Tree = dict[str, tuple[object, ...]]


class Notes:
    """A vault with a history, and a person who writes in it."""

    def __init__(self, base: Path) -> None:
        self.base, self.root = base, base / "notes"
        self.root.mkdir(exist_ok=True)
        self.vault = Vault(self.root, base / "state")
        self.records = Records(Database(base / "state/records.db"))
        self.objects = objects_of(self.vault)
        self.history = History(self.vault, self.records, self.objects, instance="test")
        self.snapshots = Snapshots(self.history)

    def write(self, path: str, content: str | bytes, mode: int = 0o644) -> Path:
        note = self.root / path
        note.parent.mkdir(parents=True, exist_ok=True)
        if note.is_file():
            note.chmod(0o600)
        note.write_bytes(content if isinstance(content, bytes) else content.encode())
        note.chmod(mode)
        return note

    def tree(self, below: str = ".") -> Tree:
        """Kind, content, mode of everything; the time of files. Links are their target."""
        found: Tree = {}
        for path in sorted((self.root / below).rglob("*")):
            entry, name = path.lstat(), str(path.relative_to(self.root))
            mode = stat.S_IMODE(entry.st_mode)
            if stat.S_ISREG(entry.st_mode):
                found[name] = (path.read_bytes(), mode, entry.st_mtime_ns)
            elif stat.S_ISLNK(entry.st_mode):
                found[name] = ("link", str(path.readlink()))
            else:
                found[name] = (stat.S_IFMT(entry.st_mode), mode)
        return found


@pytest.fixture
def notes(base: Path) -> Notes:
    return Notes(base)


@pytest.fixture
def log() -> Iterator[list[str]]:
    messages: list[str] = []
    sink = logger.add(lambda message: messages.append(str(message)), level="WARNING", format="{message}")
    yield messages
    with suppress(ValueError):
        logger.remove(sink)


def filled(notes: Notes) -> Tree:
    """A rich tree; what it is."""
    notes.write("Inbox/a.md", "alpha")
    notes.write("Inbox/deep/er/b.md", "beta", 0o600)
    notes.write("Inbox/empty.md", b"")
    notes.write("Inbox/big.bin", bytes(range(256)) * 4096 + b"end", 0o444)
    notes.write("Grüße/日本 🎉.md", "unicode")
    notes.write("Inbox/line\nbreak.md", "odd")
    notes.write("top.md", "top", 0o640)
    notes.write("same.md", "top")
    (notes.root / "Hollow/er").mkdir(parents=True)
    (notes.root / "Hollow").chmod(0o750)
    for number, path in enumerate(sorted(notes.root.rglob("*.md"))):
        os.utime(path, ns=(10**18, 10**18 + number * 1_000_003))
    return notes.tree()


def ruined(notes: Notes) -> None:
    """Every kind of difference from ``filled``."""
    notes.write("Inbox/a.md", "edited")
    notes.write("Inbox/big.bin", b"small")
    (notes.root / "Inbox/empty.md").unlink()
    notes.write("Inbox/empty.md/now/a/directory.md", "swapped")
    shutil.rmtree(notes.root / "Inbox/deep")
    notes.write("Inbox/deep", "a file now")
    shutil.rmtree(notes.root / "Hollow")
    (notes.root / "Grüße/日本 🎉.md").rename(notes.root / "moved.md")
    (notes.root / "top.md").chmod(0o666)
    os.utime(notes.root / "same.md")
    notes.write("New/deep/er/n.md", "added")
    (notes.root / "New/hollow").mkdir()


# -- round trips


def test_what_is_recorded(notes: Notes) -> None:
    tree = filled(notes)
    made = notes.snapshots.create(["."], "before the move")
    assert made.roots == (".",)
    assert made.label == "before the move"
    assert {e.path: e.directory for e in made.entries} == {
        path: facts[0] == stat.S_IFDIR for path, facts in tree.items()
    }
    big = next(entry for entry in made.entries if entry.path == "Inbox/big.bin")
    content, mode, mtime_ns = tree[big.path]
    assert isinstance(content, bytes)
    assert (big.size, big.mode, big.mtime_ns) == (len(content), mode, mtime_ns)
    assert notes.objects.read(big.sha256, big.size) == content
    assert notes.records.snapshot(made.id) == made


def test_everything_comes_back(notes: Notes) -> None:
    tree = filled(notes)
    made = notes.snapshots.create(["."])
    ruined(notes)
    stored = notes.snapshots.restore(made.id)
    assert notes.tree() == tree
    assert stored.run_id.startswith("restore-")
    assert (stored.skill, stored.state) == ("snapshot", "committed")
    assert notes.records.set_of(stored.run_id) == stored
    assert {(c.kind, c.path) for c in stored.changes} >= {
        ("modified", "Inbox/a.md"), ("modified", "top.md"), ("modified", "same.md"), ("deleted", "moved.md"),
        ("created", "Hollow/er"), ("deleted", "Inbox/deep"), ("created", "Inbox/deep"), ("deleted", "New/hollow"),
    }  # fmt: skip
    assert notes.snapshots.verify() == ()


def test_a_restore_of_what_is_there_is_nothing(notes: Notes) -> None:
    tree = filled(notes)
    made = notes.snapshots.create(["."])
    assert notes.snapshots.restore(made.id).changes == ()
    ruined(notes)
    notes.snapshots.restore(made.id)
    inodes = {path: path.lstat().st_ino for path in notes.root.rglob("*")}
    again = notes.snapshots.restore(made.id)
    assert again.changes == ()
    assert notes.records.set_of(again.run_id) is None
    assert len(notes.records.sets()) == 1
    assert {path: path.lstat().st_ino for path in notes.root.rglob("*")} == inodes
    assert notes.tree() == tree


def test_a_restore_is_rolled_back_like_a_run(notes: Notes) -> None:
    tree = filled(notes)
    made = notes.snapshots.create(["."])
    ruined(notes)
    between = notes.tree()
    stored = notes.snapshots.restore(made.id)
    notes.history.roll_back(stored.run_id)
    assert notes.tree() == between
    notes.snapshots.restore(made.id)
    assert notes.tree() == tree


def test_an_emptied_and_an_empty_vault(notes: Notes) -> None:
    nothing = notes.snapshots.create(["."])
    assert nothing.entries == ()
    tree = filled(notes)
    made = notes.snapshots.create(["."])
    notes.snapshots.restore(nothing.id)
    assert notes.tree() == {}
    notes.snapshots.restore(made.id)
    assert notes.tree() == tree


def test_only_the_roots_are_touched(notes: Notes) -> None:
    filled(notes)
    made = notes.snapshots.create(["Inbox/deep", "./Hollow/", "Inbox", "Hollow"])
    assert made.roots == ("Hollow", "Inbox")
    inbox = notes.tree("Inbox")
    ruined(notes)
    others = {path: facts for path, facts in notes.tree().items() if path.split("/")[0] not in {"Inbox", "Hollow"}}
    notes.snapshots.restore(made.id)
    now = notes.tree()
    assert notes.tree("Inbox") == inbox
    assert (notes.root / "Hollow").stat().st_mode & 0o777 == 0o750
    assert {path: facts for path, facts in now.items() if path.split("/")[0] not in {"Inbox", "Hollow"}} == others


def test_the_way_to_a_root_is_made_again(notes: Notes) -> None:
    notes.write("a/b/c/note.md", "deep")
    notes.write("a/b/other.md", "none of ours")
    made = notes.snapshots.create(["a/b/c"])
    shutil.rmtree(notes.root / "a")
    notes.snapshots.restore(made.id)
    assert [path for path in notes.tree() if path.endswith(".md")] == ["a/b/c/note.md"]
    shutil.rmtree(notes.root / "a")
    notes.write("a", "a file that no snapshot knows")
    with pytest.raises(ChangesRefused, match="VLT302"):
        notes.snapshots.restore(made.id)
    assert (notes.root / "a").read_text() == "a file that no snapshot knows"


def test_a_root_that_is_a_file_now(notes: Notes) -> None:
    notes.write("Inbox/a.md", "alpha")
    made = notes.snapshots.create(["Inbox"])
    shutil.rmtree(notes.root / "Inbox")
    notes.write("Inbox", "a file")
    notes.snapshots.restore(made.id)
    assert (notes.root / "Inbox/a.md").read_text() == "alpha"


def test_very_deep(notes: Notes) -> None:
    """Deeper than descriptors are many, and than a path may be long."""
    depth, name = 300, "depth" * 40
    descriptor = os.open(notes.root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
    try:
        made = notes.snapshots.create(["."])
        assert len(made.entries) == depth
        assert notes.snapshots.restore(made.id).changes == ()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_our_own_directory_is_none_of_it(notes: Notes) -> None:
    notes.write(f"{HIDDEN}/ours", "1")
    notes.write(f"sub/{HIDDEN}/theirs", "1")
    made = notes.snapshots.create(["."])
    assert {entry.path for entry in made.entries} == {"sub", f"sub/{HIDDEN}", f"sub/{HIDDEN}/theirs"}
    notes.write(f"{HIDDEN}/ours", "2")
    assert notes.snapshots.restore(made.id).changes == ()
    with pytest.raises(VaultError, match="orchestrator itself"):
        notes.snapshots.create([f"./{HIDDEN}/x"])


@NEEDS_ROOT
def test_owners_stay(notes: Notes) -> None:
    os.chown(notes.root, OWNER, OWNER)
    again = Notes(notes.base)
    for path in ("changed.md", "gone.md"):
        again.write(path, "1")
    made = again.snapshots.create(["."])
    again.write("changed.md", "2")
    os.chown(again.root / "changed.md", 1234, 4321)
    (again.root / "gone.md").unlink()
    again.snapshots.restore(made.id)
    owners = {p.name: (p.stat().st_uid, p.stat().st_gid) for p in again.root.iterdir()}
    assert owners == {"changed.md": (1234, 4321), "gone.md": (OWNER, OWNER)}


@NEEDS_ROOT
def test_as_an_ordinary_user(base: Path) -> None:
    os.chown(base, OWNER, OWNER)

    def round_trip() -> bool:
        notes = Notes(base)
        tree = filled(notes)
        made = notes.snapshots.create(["."])
        ruined(notes)
        notes.snapshots.restore(made.id)
        assert notes.tree() == tree
        return True

    assert as_owner(round_trip)


@NEEDS_ROOT
def test_another_users_note_is_not_taken_over(base: Path) -> None:
    os.chown(base, OWNER, OWNER)

    def taken() -> Snapshot:
        notes = Notes(base)
        notes.write("theirs.md", "1")
        return notes.snapshots.create(["."])

    made = as_owner(taken)
    (base / "notes/theirs.md").write_text("2")
    os.chown(base / "notes/theirs.md", 0, 0)

    def refused() -> str:
        try:
            Notes(base).snapshots.restore(made.id)
        except ChangesRefused as error:
            return str(error)
        return ""

    assert "VLT303" in as_owner(refused)
    assert (base / "notes/theirs.md").read_text() == "2"


# -- what is kept


def test_contents_are_kept_once(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(notes)
    first = notes.snapshots.create(["."])
    kept = list(notes.objects.digests())
    assert len(kept) == len({entry.sha256 for entry in first.entries if entry.sha256}) < len(first.entries)

    def add(*_: object, **__: object) -> None:
        raise AssertionError("nothing is written for what is kept")

    monkeypatch.setattr(Objects, "add", add)
    second = notes.snapshots.create(["."])
    assert list(notes.objects.digests()) == kept
    assert second.entries == first.entries
    assert second.id != first.id


def test_list_and_forget(notes: Notes) -> None:
    notes.write("a.md", "alpha")
    first, second = notes.snapshots.create(["."], "one"), notes.snapshots.create(["."], "two")
    assert [(each.id, each.label) for each in notes.snapshots.list()] == [(second.id, "two"), (first.id, "one")]
    notes.snapshots.forget(first.id)
    assert [each.id for each in notes.snapshots.list()] == [second.id]
    notes.objects.prune(notes.records.referenced(), grace_seconds=0)
    assert notes.snapshots.verify() == ()
    notes.snapshots.forget(second.id)
    notes.objects.prune(notes.records.referenced(), grace_seconds=0)
    assert list(notes.objects.digests()) == []


@pytest.mark.parametrize("unknown", ["", "nope", "\x1b[31m", "\udcff", "' OR 1=1 --"])
def test_unknown(notes: Notes, unknown: str) -> None:
    for method in (notes.snapshots.restore, notes.snapshots.forget):
        with pytest.raises(VaultError, match="there is no snapshot") as caught:
            method(unknown)
        assert caught.value.hint
        assert str(caught.value).isprintable()


def test_content_that_is_cleared_away_before_it_is_recorded(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    notes.write("a.md", "alpha")
    add_snapshot = notes.records.add_snapshot

    def late(snapshot: Snapshot) -> None:
        add_snapshot(snapshot)
        notes.objects.prune(set(), grace_seconds=-1)

    monkeypatch.setattr(notes.records, "add_snapshot", late)
    with pytest.raises(VaultError, match="cleared away"):
        notes.snapshots.create(["."])
    assert notes.snapshots.list() == []


def test_an_object_cut_short_is_kept_anew(notes: Notes) -> None:
    notes.write("a.md", "alpha")
    made = notes.snapshots.create(["."])
    _object(notes, made.entries[0].sha256).write_bytes(b"")
    assert notes.snapshots.create(["."]).entries == made.entries
    assert notes.snapshots.verify() == ()


# -- verify


def test_damage_is_found(notes: Notes) -> None:
    notes.write("a.md", "alpha")
    notes.write("b.md", "alpha")
    made = notes.snapshots.create(["."])
    sha256 = made.entries[0].sha256
    _flip(_object(notes, sha256))
    assert notes.snapshots.verify() == (
        f"the kept content {sha256[:12]} is damaged: 2 snapshot files cannot be restored",
    )
    notes.write("a.md", "edited")
    with pytest.raises(VaultError, match=r"the kept content of a\.md is damaged"):
        notes.snapshots.restore(made.id)
    assert (notes.root / "a.md").read_text() == "edited"


def test_missing_is_found(notes: Notes) -> None:
    notes.write("a.md", "alpha")
    made = notes.snapshots.create(["."])
    notes.write("a.md", "edited")
    stored = notes.snapshots.restore(made.id)
    alpha, edited = made.entries[0].sha256, stored.changes[0].before_sha256
    notes.objects.discard(alpha)
    notes.objects.discard(edited)
    assert set(notes.snapshots.verify()) == {
        f"the kept content {alpha[:12]} is missing: 1 snapshot file cannot be restored",
        f"the kept content {edited[:12]} is missing: 1 run change cannot be restored",
    }
    notes.write("a.md", "edited")
    with pytest.raises(VaultError, match="not kept any more"):
        notes.snapshots.restore(made.id)
    assert (notes.root / "a.md").read_text() == "edited"


def test_what_a_run_wrote_is_not_missing(notes: Notes) -> None:
    """It is in the vault: nothing keeps it."""
    path = notes.base / "content"
    path.write_text("new")
    with path.open("rb") as source:
        sha256, size = notes.objects.add(source.fileno())
    with notes.history.staged([Wanted(Change("created", "n.md", size, sha256), None)]) as changes:
        notes.history.commit(changes, RunFacts("run-1", "skill@1"))
    notes.objects.discard(sha256)
    assert notes.snapshots.verify() == ()


def test_damage_that_nothing_needs_is_told(notes: Notes) -> None:
    """It would pass for the content, should a note have that again."""
    notes.write("a.md", "alpha")
    made = notes.snapshots.create(["."])
    _flip(_object(notes, made.entries[0].sha256))
    notes.snapshots.forget(made.id)
    (told,) = notes.snapshots.verify()
    assert told.endswith("nothing needs it")


def _object(notes: Notes, sha256: str) -> Path:
    return notes.objects.directory / sha256[:2] / sha256[2:]


def _flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


# -- links, special files, hostile names


def test_links_and_special_files_are_left_alone(notes: Notes, log: list[str]) -> None:
    notes.write("Inbox/a.md", "alpha")
    secret = notes.base / "secret"
    secret.mkdir()
    (secret / "key").write_text("host secret")
    (notes.root / "Inbox/link\x1b[31m").symlink_to(secret / "key")
    (notes.root / "Inbox/out").symlink_to(secret)
    os.mkfifo(notes.root / "Inbox/fifo")
    made = notes.snapshots.create(["."])
    assert [entry.path for entry in made.entries] == ["Inbox", "Inbox/a.md"]
    (told,) = log
    assert "Inbox/out" in told
    assert "Inbox/fifo" in told
    assert "\x1b" not in told
    before = notes.tree()

    os.mkfifo(notes.root / "late")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(notes.root / "socket"))
        notes.write("New/x.md", "added")
        notes.write("New/er/y.md", "added")
        (notes.root / "New/er/link").symlink_to(secret)
        notes.write("Inbox/a.md", "edited")
        notes.snapshots.restore(made.id)
        now = notes.tree()
        for kept in ("late", "socket", "New", "New/er", "New/er/link"):
            assert now.pop(kept)
    assert now == before
    assert (secret / "key").read_text() == "host secret"


@pytest.mark.parametrize("place", ["Inbox", "Inbox/a.md", "Inbox/sub", "Inbox/sub/b.md"])
def test_a_link_in_the_way_refuses_the_restore(notes: Notes, place: str) -> None:
    notes.write("Inbox/a.md", "alpha")
    notes.write("Inbox/sub/b.md", "beta")
    made = notes.snapshots.create(["Inbox"])
    aside = notes.base / "aside"
    (notes.root / place).rename(aside)
    (notes.root / place).symlink_to(aside)
    notes.write("Inbox/c.md" if place != "Inbox" else "c.md", "added")
    before = notes.tree()
    with pytest.raises(ChangesRefused, match="VLT112"):
        notes.snapshots.restore(made.id)
    assert notes.tree() == before


def test_a_directory_with_a_link_where_a_file_was(notes: Notes) -> None:
    notes.write("a.md", "alpha")
    made = notes.snapshots.create(["."])
    (notes.root / "a.md").unlink()
    notes.write("a.md/x.md", "x")
    (notes.root / "a.md/link").symlink_to("x.md")
    with pytest.raises(ChangesRefused, match=r"a\.md"):
        notes.snapshots.restore(made.id)
    assert (notes.root / "a.md/x.md").exists()


def test_names_that_are_not_utf8_are_left_alone(notes: Notes, log: list[str]) -> None:
    notes.write("Inbox/a.md", "alpha")
    raw = os.fsencode(notes.root) + b"/Inbox/\xff"
    Path(os.fsdecode(raw)).mkdir()
    Path(os.fsdecode(raw + b"/x.md")).write_text("x")
    made = notes.snapshots.create(["."])
    assert [entry.path for entry in made.entries] == ["Inbox", "Inbox/a.md"]
    assert len(log) == 1
    notes.write("Inbox/a.md", "edited")
    notes.snapshots.restore(made.id)
    assert Path(os.fsdecode(raw + b"/x.md")).read_text() == "x"


@NEEDS_ROOT
def test_set_id_bits_do_not_come_back(notes: Notes) -> None:
    note = notes.write("a.md", "alpha", 0o4755)
    made = notes.snapshots.create(["."])
    assert notes.snapshots.restore(made.id).changes == ()
    note.unlink()
    notes.snapshots.restore(made.id)
    assert stat.S_IMODE(note.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    "root",
    ["..", "Inbox/../..", "/etc", "/", "", "missing", "link", "link/sub", "Inbox/a.md", "a\0b", "\udcff", "fifo"],
)
def test_hostile_roots_are_refused(notes: Notes, root: str) -> None:
    notes.write("Inbox/a.md", "alpha")
    (notes.base / "elsewhere/sub").mkdir(parents=True)
    (notes.root / "link").symlink_to(notes.base / "elsewhere")
    os.mkfifo(notes.root / "fifo")
    with pytest.raises(VaultError) as caught:
        notes.snapshots.create(["Inbox", root])
    assert caught.value.hint
    assert notes.snapshots.list() == []


def test_a_label_that_is_not_utf8(notes: Notes) -> None:
    made = notes.snapshots.create(["."], "odd \udcff")
    assert notes.snapshots.list() == [made]
    assert made.label == "odd ?"


def test_no_roots_are_refused(notes: Notes) -> None:
    with pytest.raises(VaultError):
        notes.snapshots.create([])


def test_what_cannot_be_read_is_named(base: Path) -> None:
    notes = Notes(base)
    notes.write("Inbox/a.md", "alpha", 0o000)
    if os.geteuid() == 0:
        for path in (base, *base.rglob("*")):
            os.chown(path, OWNER, OWNER)

    def refused() -> str:
        try:
            Notes(base).snapshots.create(["."])
        except VaultError as error:
            return str(error)
        return ""

    assert "Inbox/a.md: Permission denied" in (as_owner(refused) if os.geteuid() == 0 else refused())


# -- others write meanwhile


def _meddling(notes: Notes, monkeypatch: pytest.MonkeyPatch, meddle: Callable[[int], None]) -> None:
    """Call ``meddle`` with 1, 2, ... after each first piece of a file that is read."""
    count = 0

    def slowly(descriptor: int) -> Iterator[bytes]:
        nonlocal count
        count += 1
        for piece in chunks(descriptor):
            yield piece
            meddle(count)

    monkeypatch.setattr(module, "chunks", slowly)


@pytest.mark.parametrize("append", [True, False])
def test_a_file_that_changes_is_read_again(notes: Notes, monkeypatch: pytest.MonkeyPatch, append: bool) -> None:
    note = notes.write("a.md", "alpha")

    def meddle(count: int) -> None:
        if count < 3:
            note.write_text(note.read_text() + "+" if append else f"beta{count}")

    _meddling(notes, monkeypatch, meddle)
    (entry,) = notes.snapshots.create(["."]).entries
    assert entry.sha256 == hashlib.sha256(note.read_bytes()).hexdigest()


def test_a_file_that_never_rests_is_refused(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    note = notes.write("a.md", "alpha")

    def meddle(count: int) -> None:
        note.write_text(f"{count}" * count)

    _meddling(notes, monkeypatch, meddle)
    with pytest.raises(VaultError, match="keeps changing"):
        notes.snapshots.create(["."])
    assert notes.snapshots.list() == []


def test_a_file_replaced_by_a_link_is_not_followed(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    (notes.base / "secret").write_text("host secret")
    note = notes.write("a.md", "alpha")

    def late(name: str | bytes, parent: int) -> int:
        if not note.is_symlink():
            note.unlink()
            note.symlink_to(notes.base / "secret")
        return open_file(name, parent)

    monkeypatch.setattr(module, "open_file", late)
    with pytest.raises(VaultError, match="keeps changing"):
        notes.snapshots.create(["."])
    assert list(notes.objects.digests()) == []


def test_an_edit_during_a_restore_refuses_it(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    notes.write("a.md", "alpha")
    notes.write("b.md", "beta")
    made = notes.snapshots.create(["."])
    notes.write("a.md", "edited")
    notes.write("b.md", "edited")
    staged = notes.history.staged

    def late(wanted: list[Wanted]) -> object:
        notes.write("a.md", "a person was here")
        return staged(wanted)

    monkeypatch.setattr(notes.history, "staged", late)
    with pytest.raises(ChangesRefused, match=r"VLT301.*a\.md"):
        notes.snapshots.restore(made.id)
    assert (notes.root / "a.md").read_text() == "a person was here"
    assert (notes.root / "b.md").read_text() == "edited"


# -- interrupted


def test_an_interrupted_restore_is_all_or_nothing(base: Path) -> None:
    points = names_of(_cut_off(base, -1)[0])
    found = []
    for number in range(len(points)):
        restore, notes, old, new = _cut_off(base, number)
        assert killed(restore, at(number, die))
        recover(Vault(notes.root, notes.base / "state"), notes.history.keep)
        state = "new" if notes.tree() == new else "old" if notes.tree() == old else f"mixed at {points[number]}"
        found.append(state)
        if state == "new":
            (stored,) = notes.records.sets()
            notes.history.roll_back(stored.run_id)
            assert notes.tree() == old
    assert set(found) == {"old", "new"}
    assert found == sorted(found, key=["old", "new"].index)  # once it has happened, it has happened


def _cut_off(base: Path, number: int) -> tuple[Callable[[], None], Notes, Tree, Tree]:
    (base / str(number)).mkdir()
    notes = Notes(base / str(number))
    new = filled(notes)
    made = notes.snapshots.create(["."])
    ruined(notes)

    def restore() -> None:
        notes.snapshots.restore(made.id)

    return restore, notes, notes.tree(), new


def test_an_interrupted_snapshot_is_none(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(notes)

    def create() -> None:
        notes.snapshots.create(["."])

    with monkeypatch.context() as patch:
        patch.setattr(notes.records, "add_snapshot", lambda _: die())
        assert killed(create, lambda _: None)
    assert notes.snapshots.list() == []
    notes.snapshots.create(["."])
    assert notes.snapshots.verify() == ()


# -- any tree

NAMES = st.sampled_from(["a", "b", "é"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FILES = st.tuples(st.sampled_from([b"", b"1", b"2"]), st.sampled_from([0o600, 0o644, 0o755]))
TREES = st.dictionaries(PATHS, st.none() | FILES, max_size=8)


def _put(root: Path, tree: dict[str, tuple[bytes, int] | None]) -> None:
    """None is a directory. What is in the way goes."""
    for path, content in tree.items():
        steps = path.split("/")
        for depth in range(1, len(steps)):
            parent = root / "/".join(steps[:depth])
            if parent.is_file():
                parent.unlink()
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file():
            target.unlink()
        elif target.is_dir():
            shutil.rmtree(target)
        if content is None:
            target.mkdir()
        else:
            target.write_bytes(content[0])
            target.chmod(content[1])


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, TREES, st.sets(PATHS, max_size=4))
def test_any_tree_comes_back(
    then: dict[str, tuple[bytes, int] | None], later: dict[str, tuple[bytes, int] | None], gone: set[str]
) -> None:
    with tempfile.TemporaryDirectory(prefix="vault-test-") as base:
        notes = Notes(Path(base))
        _put(notes.root, then)
        tree = notes.tree()
        made = notes.snapshots.create(["."])
        for path in gone:
            if (notes.root / path).is_dir():
                shutil.rmtree(notes.root / path)
            else:
                with suppress(FileNotFoundError, NotADirectoryError):
                    (notes.root / path).unlink()
        _put(notes.root, later)
        between = notes.tree()
        stored = notes.snapshots.restore(made.id)
        assert notes.tree() == tree
        if stored.changes:
            notes.history.roll_back(stored.run_id)
        assert notes.tree() == between
