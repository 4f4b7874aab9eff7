"""All of a change set lands, or nothing does."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.errors import VaultError
from orchestrator.vault.changes import ChangeSet, Identity
from orchestrator.vault.commit import commit
from orchestrator.vault.durable import Place, exchange, move
from orchestrator.vault.recovery import recover
from orchestrator.vault.rules import ChangesRefused
from orchestrator.vault.slots import sweep_vault
from tests.vault.conftest import NEEDS_ROOT
from tests.vault.world import OWNER, World, as_owner, listing, tree

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw, permitted and effective (v2)


def _change_everything(inside: Path) -> None:
    (inside / "Inbox/a.md").write_text("changed")
    (inside / "New/deep").mkdir(parents=True)
    (inside / "New/deep/n.md").write_text("new")
    (inside / "top.md").write_text("top")
    (inside / "keep.md").unlink()
    shutil.rmtree(inside / "Inbox/sub")
    (inside / "Inbox/sub").write_text("a file now")


AFTER = {
    "Inbox": "/",
    "Inbox/a.md": "changed",
    "Inbox/sub": "a file now",
    "New": "/",
    "New/deep": "/",
    "New/deep/n.md": "new",
    "top.md": "top",
}


def test_everything_lands(world: World) -> None:
    _change_everything(world.begin())
    with world.collect() as changes:
        assert commit(world.vault, changes) == changes.changes
        assert tree(world.notes) == AFTER
    assert not list(world.vault.staging_area.glob("*/*/*"))


def test_nothing_to_do_touches_nothing(world: World) -> None:
    world.begin()
    before = world.notes.stat()
    assert commit(world.vault, world.collect()) == ()
    assert world.notes.stat().st_ctime_ns == before.st_ctime_ns


@NEEDS_ROOT
def test_owners_and_modes(world: World) -> None:
    """A changed note keeps its mode and owner; a new one gets the vault owner's, whatever the run set."""
    note = world.notes / "Inbox/a.md"
    note.chmod(0o640)
    os.chown(note, OWNER, 4321)
    os.setxattr(note, "user.tag", b"blue")
    inside = world.begin()
    for name in ("Inbox/a.md", "new.md"):
        (inside / name).write_text("x")
        (inside / name).chmod(0o777)
    (inside / "New").mkdir(mode=0o777)
    os.setxattr(inside / "new.md", "user.evil", b"x")
    with world.collect() as changes:
        commit(world.vault, changes)

    def facts(path: str) -> tuple[int, int, int]:
        entry = (world.notes / path).stat()
        return entry.st_mode & 0o7777, entry.st_uid, entry.st_gid

    assert facts("Inbox/a.md") == (0o640, OWNER, 4321)
    assert os.getxattr(note, "user.tag") == b"blue"
    assert facts("new.md") == (0o644, OWNER, OWNER)
    assert os.listxattr(world.notes / "new.md") == []
    assert facts("New") == (0o755, OWNER, OWNER)


@NEEDS_ROOT
def test_a_file_capability_is_not_handed_to_new_content(world: World) -> None:
    """It was given to what stood there before; a write(2) in place would have dropped it too."""
    note = world.notes / "Inbox/a.md"
    os.chown(note, 0, 0)  # as the staged content is: a change of owner would drop the capability by itself
    try:
        os.setxattr(note, "security.capability", CAPABILITY)
    except OSError as error:
        pytest.skip(f"no file capabilities on this file system: {error}")
    os.setxattr(note, "user.tag", b"blue")
    inside = world.begin()
    (inside / "Inbox/a.md").write_text("changed")
    with world.collect() as changes:
        commit(world.vault, changes)
    assert note.read_text() == "changed"
    assert "security.capability" not in os.listxattr(note)
    assert os.getxattr(note, "user.tag") == b"blue"


def test_untouched_notes_keep_their_stamps(world: World) -> None:
    before = (world.notes / "Inbox/sub/b.md").stat()
    (world.begin() / "Inbox/a.md").write_text("changed")
    with world.collect() as changes:
        commit(world.vault, changes)
    after = (world.notes / "Inbox/sub/b.md").stat()
    assert Identity.of(after) == Identity.of(before)


# -- conflicts between collecting and committing


def _ready(world: World) -> ChangeSet:
    _change_everything(world.begin())
    return world.collect()


def _edited(world: World) -> None:
    world.write("Inbox/a.md", "a person was here")


def _replaced_by_rename(world: World) -> None:
    spare = world.write("spare", "a person was here")
    spare.rename(world.notes / "Inbox/a.md")


def _created(world: World) -> None:
    world.write("top.md", "a person was here")


def _deleted(world: World) -> None:
    (world.notes / "Inbox/a.md").unlink()


def _filled(world: World) -> None:
    world.write("Inbox/sub/c.md", "a person was here")


def _parent_swapped(world: World) -> None:
    (world.notes / "Inbox").rename(world.base / "elsewhere")
    (world.notes / "Inbox").symlink_to(world.base / "elsewhere")


def _file_swapped(world: World) -> None:
    (world.notes / "keep.md").unlink()
    (world.notes / "keep.md").symlink_to(world.canary)


@pytest.mark.parametrize(
    ("person", "rule"),
    [
        (_edited, "VLT301"),
        (_replaced_by_rename, "VLT301"),
        (_created, "VLT301"),
        (_deleted, "VLT301"),
        (_filled, "VLT301"),
        (_parent_swapped, "VLT302"),
        (_file_swapped, "VLT301"),
    ],
)
def test_a_changed_vault_is_left_alone(world: World, person: Callable[[World], None], rule: str) -> None:
    with _ready(world) as changes:
        person(world)
        before = tree(world.notes)
        with pytest.raises(ChangesRefused) as refused:
            commit(world.vault, changes)
        assert [each.rule for each in refused.value.findings] == [rule]
    assert tree(world.notes) == before
    assert world.canary.read_text() == "host secret"


@pytest.mark.parametrize("person", [_edited, _replaced_by_rename, _created, _deleted, _file_swapped])
def test_a_known_conflict_is_found_before_anything_moves(
    world: World, person: Callable[[World], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[Place] = []
    for name in ("move", "exchange"):
        monkeypatch.setattr(f"orchestrator.vault.steps.{name}", lambda source, target: moved.append(target))
    with _ready(world) as changes:
        person(world)
        with pytest.raises(ChangesRefused):
            commit(world.vault, changes)
    assert moved == []


@NEEDS_ROOT
def test_what_is_mounted_over_the_vault_is_not_written_to(world: World) -> None:
    point = world.notes / "Inbox"
    with _ready(world) as changes:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(point)], check=True)
        try:
            with pytest.raises(ChangesRefused, match="VLT113"):
                commit(world.vault, changes)
            assert tree(point) == {}
        finally:
            subprocess.run(["umount", str(point)], check=True)


def test_an_edit_between_verifying_and_renaming_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry that was swapped out is examined once more; what is not as seen goes back."""
    edited = False

    def edit_first(source: Place, target: Place) -> None:
        nonlocal edited
        if not edited:
            edited = True
            world.write("Inbox/a.md", "a person was here")
        exchange(source, target)

    with _ready(world) as changes:
        monkeypatch.setattr("orchestrator.vault.steps.exchange", edit_first)
        with pytest.raises(ChangesRefused):
            commit(world.vault, changes)
    assert edited
    assert (world.notes / "Inbox/a.md").read_text() == "a person was here"
    assert not (world.notes / "top.md").exists()


def test_a_refused_set_cannot_be_committed(world: World) -> None:
    inside = world.begin()
    (inside / "fine.md").write_text("fine")
    (inside / "link").symlink_to("/")
    changes = world.collect()
    with pytest.raises(ChangesRefused, match="VLT101"):
        commit(world.vault, changes)
    assert not (world.notes / "fine.md").exists()


def test_a_discarded_set_cannot_be_committed(world: World) -> None:
    with _ready(world) as changes:
        pass
    with pytest.raises(ValueError, match="discarded"):
        commit(world.vault, changes)


# -- faults in the middle


def _failing(real: Callable[[Place, Place], None], after: list[int]) -> Callable[[Place, Place], None]:
    def rename(source: Place, target: Place) -> None:
        after[0] -= 1
        if after[0] == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(source, target)

    return rename


@pytest.mark.parametrize("failing", range(1, 7))
def test_a_failing_rename_undoes_all_before_it(world: World, failing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(world.notes)
    with _ready(world) as changes:
        counter = [failing]
        for real in (move, exchange):
            monkeypatch.setattr(f"orchestrator.vault.steps.{real.__name__}", _failing(real, counter))
        with pytest.raises(VaultError, match="nothing was committed"):
            commit(world.vault, changes)
    assert tree(world.notes) == before
    assert not list(world.vault.staging_area.glob("*/*/*"))


@pytest.fixture
def immutable(world: World) -> Iterator[Path]:
    """A directory of the vault in which nothing can be renamed: a real fault, met late."""
    directory = world.notes / "Zoo"
    world.write("Zoo/z.md", "z")
    yield directory
    subprocess.run(["chattr", "-i", str(directory)], check=False, capture_output=True)


@NEEDS_ROOT
def test_a_real_fault_undoes_all_before_it(world: World, immutable: Path) -> None:
    before = tree(world.notes)
    inside = world.begin()
    _change_everything(inside)
    (inside / "Zoo/z.md").write_text("changed")
    with world.collect() as changes:
        if subprocess.run(["chattr", "+i", str(immutable)], check=False, capture_output=True).returncode:
            pytest.skip("no immutable directories on this file system")
        with pytest.raises(VaultError, match=r"Zoo/z\.md"):
            commit(world.vault, changes)
    assert tree(world.notes) == before


def test_what_cannot_be_undone_now_is_said_and_settled_at_the_next_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third rename fails, and so does every one after it."""
    before = tree(world.notes)
    inside = world.begin()
    for name in ("keep.md", "Inbox/a.md", "Inbox/sub/b.md"):
        (inside / name).unlink()
    count = 0

    def broken(source: Place, target: Place) -> None:
        nonlocal count
        count += 1
        if count >= 3:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        move(source, target)

    with world.collect() as changes, monkeypatch.context() as faulty:
        faulty.setattr("orchestrator.vault.steps.move", broken)
        with pytest.raises(VaultError, match="neither be finished nor undone") as error:
            commit(world.vault, changes)
    left = next(world.vault.staging_area.glob("*/*"))
    assert str(left) in error.value.hint
    sweep_vault(world.vault, lambda _: False)
    assert left.exists()  # a sweep leaves it to recovery
    assert [each.finished for each in recover(world.vault)] == [False]
    assert not left.exists()
    assert tree(world.notes) == before


def test_without_renameat2_flags(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS and some FUSE file systems: plain renames do the same, a little less atomically."""
    monkeypatch.setattr("orchestrator.vault.durable._function", lambda: None)
    with _ready(world) as changes:
        world.write("other.md", "unrelated")
        commit(world.vault, changes)
    assert tree(world.notes) == {**AFTER, "other.md": "unrelated"}


def test_without_flags_nothing_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.vault.durable._function", lambda: None)
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(FileExistsError):
            move((directory, b"one"), (directory, b"two"))
    finally:
        os.close(directory)
    assert (tmp_path / "two").read_text() == "2"


# -- the lock, and the vault without root


def test_commits_wait_for_each_other(world: World) -> None:
    with _ready(world) as changes:
        done = threading.Event()

        def run() -> None:
            commit(world.vault, changes)
            done.set()

        thread = threading.Thread(target=run)
        with world.vault.locked():
            thread.start()
            assert not done.wait(0.05)
            assert (world.notes / "keep.md").exists()
        thread.join()
        assert done.is_set()
    assert tree(world.notes) == AFTER


def test_the_lock_is_on_the_vault_itself(world: World) -> None:
    """So that two orchestrators with different state directories share it."""
    with world.vault.locked():
        other = os.open(world.notes, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)


@NEEDS_ROOT
def test_the_owner_commits_without_root(base: Path) -> None:
    base.chmod(0o777)

    def run() -> dict[str, str]:
        world = World(base, "copy")
        with _ready(world) as changes:
            commit(world.vault, changes)
        world.close()
        return tree(world.notes)

    assert as_owner(run) == AFTER


@NEEDS_ROOT
def test_a_note_of_somebody_else_is_not_taken_over(base: Path) -> None:
    """Replacing it would change its owner."""
    base.chmod(0o777)

    def prepare() -> World:
        return World(base, "copy")

    def run() -> list[str]:
        world = prepare()
        (world.begin() / "Inbox/a.md").write_text("changed")
        with world.collect() as changes:
            assert listing(changes) == ["~Inbox/a.md"]
            signal.write_text("")
            while signal.exists():
                pass
            # the entry's identity changed as well; look at the owner alone
            entry = changes.entries[0]
            now = Identity.of((world.notes / "Inbox/a.md").stat())
            changes.entries = (type(entry)(entry.change, now, entry.staged),)
            try:
                commit(world.vault, changes)
            except ChangesRefused as error:
                return [each.rule for each in error.findings]
            return []

    signal = base / "signal"

    def chown() -> None:
        while not signal.exists():
            pass
        os.chown(base / "notes/Inbox/a.md", 0, 0)
        signal.unlink()

    thread = threading.Thread(target=chown)
    thread.start()
    try:
        assert as_owner(run) == ["VLT303"]
    finally:
        thread.join()
