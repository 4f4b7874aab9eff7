"""What a run left is described exactly, or refused whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.errors import VaultError
from orchestrator.manifest.model import VaultGrants
from orchestrator.vault.collect import _Frame, _Walk
from orchestrator.vault.descriptors import lstat
from orchestrator.vault.moment import Moment
from orchestrator.vault.staging import Staged, Staging
from orchestrator.vault.tally import Quotas
from tests.vault.conftest import NEEDS_ROOT
from tests.vault.world import EVERYTHING, OWNER, World, as_owner, listing, rules, tree


def test_nothing_written_is_no_change(world: World) -> None:
    inside = world.begin()
    assert (inside / "Inbox/a.md").read_text() == "alpha"
    changes = world.collect()
    assert listing(changes) == []
    assert not changes.refusals


def test_created_modified_deleted(world: World) -> None:
    inside = world.begin()
    (inside / "Inbox/a.md").write_text("changed")
    (inside / "Inbox/new.md").write_text("new")
    (inside / "Out").mkdir()
    (inside / "Out/o.md").write_text("")
    (inside / "keep.md").unlink()
    with world.collect() as changes:
        assert listing(changes) == ["~Inbox/a.md", "+Inbox/new.md", "+Out/", "+Out/o.md", "-keep.md"]
        new = changes.changes[1]
        assert (new.size, new.sha256) == (3, hashlib.sha256(b"new").hexdigest())
        staging = changes.staging
        assert staging is not None
        assert sorted(p.read_text() for p in staging.path.iterdir()) == ["", "changed", "new"]
        directory = staging.path
    assert not directory.exists()


def test_same_content_and_modes_alone_are_no_change(world: World) -> None:
    inside = world.begin()
    (inside / "Inbox/a.md").write_text("alpha")
    (inside / "keep.md").chmod(0o777)
    (inside / "Inbox/sub").chmod(0)
    os.utime(inside / "Inbox/sub/b.md", (1, 1))
    assert listing(world.collect()) == []


def test_a_forged_time_stamp_hides_nothing(world: World) -> None:
    note = world.begin() / "Inbox/a.md"
    before = note.stat()
    note.write_text("ALPHA")  # the same size
    os.utime(note, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert listing(world.collect()) == ["~Inbox/a.md"]


def test_rename_is_a_deletion_and_a_creation(world: World) -> None:
    inside = world.begin()
    (inside / "Inbox/a.md").rename(inside / "Inbox/moved.md")
    changes = world.collect()
    assert listing(changes) == ["-Inbox/a.md", "+Inbox/moved.md"]


def test_deleted_directory_lists_all_below(world: World) -> None:
    shutil.rmtree(world.begin() / "Inbox")
    changes = world.collect()
    assert listing(changes) == ["-Inbox/", "-Inbox/a.md", "-Inbox/sub/", "-Inbox/sub/b.md"]


def test_directory_removed_and_made_again_is_opaque(world: World) -> None:
    inside = world.begin()
    shutil.rmtree(inside / "Inbox")
    (inside / "Inbox/sub").mkdir(parents=True)
    (inside / "Inbox/sub/b.md").write_text("beta")
    (inside / "Inbox/c.md").write_text("c")
    assert listing(world.collect()) == ["-Inbox/a.md", "+Inbox/c.md"]


@NEEDS_ROOT
def test_opaque_directories_are_seen_without_root(base: Path) -> None:
    """The mark is an attribute that the vault's owner can read (``userxattr``)."""
    world = World(base, "overlay")
    inside = world.begin()
    shutil.rmtree(inside / "Inbox")
    (inside / "Inbox").mkdir()
    (inside / "Inbox/a.md").write_text("alpha")
    world.end()
    subprocess.run(["chown", "-R", f"{OWNER}:{OWNER}", str(base / "state")], check=True)
    assert as_owner(lambda: listing(world.collect())) == ["-Inbox/sub/", "-Inbox/sub/b.md"]


@pytest.mark.parametrize("content", ["file for directory", "directory for file"])
def test_one_kind_replaces_the_other(world: World, content: str) -> None:
    inside = world.begin()
    if content == "file for directory":
        shutil.rmtree(inside / "Inbox")
        (inside / "Inbox").write_text("x")
        expected = ["-Inbox/", "+Inbox", "-Inbox/a.md", "-Inbox/sub/", "-Inbox/sub/b.md"]
    else:
        (inside / "keep.md").unlink()
        (inside / "keep.md").mkdir()
        expected = ["-keep.md", "+keep.md/"]
    assert listing(world.collect()) == expected


# -- hostile entries, planted where only a broken kernel or sandbox could put them


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _link_to_directory(path: Path) -> None:
    path.symlink_to("/")


def _hard_link(path: Path) -> None:
    os.link(path.parents[5] / "canary", path)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is at most 107 bytes long
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def _device(path: Path) -> None:
    os.mknod(path, 0o20600, os.makedev(1, 5))


def _setuid(path: Path) -> None:
    path.write_text("#!")
    path.chmod(0o6755)


def _sticky_directory(path: Path) -> None:
    path.mkdir()
    path.chmod(0o1777)


PLANTS: list[tuple[str, Callable[[Path], None]]] = [
    ("VLT101", _link),
    ("VLT101", _link_to_directory),
    ("VLT102", _hard_link),
    ("VLT103", _fifo),
    ("VLT103", _socket),
    ("VLT104", _setuid),
    ("VLT104", _sticky_directory),
]


def _plant_and_collect(world: World, plant: Callable[[Path], None], rule: str) -> None:
    inside = world.begin()
    (inside / "fine.md").write_text("fine")
    world.end()
    plant(world.raw / "x")
    changes = world.collect()
    assert rules(changes) == {rule}
    assert changes.entries == ()
    assert world.canary.read_text() == "host secret"
    assert not list(world.vault.staging_area.glob("*/*"))


@pytest.mark.parametrize(("rule", "plant"), PLANTS)
def test_only_regular_files_and_directories_pass(world: World, rule: str, plant: Callable[[Path], None]) -> None:
    _plant_and_collect(world, plant, rule)


@NEEDS_ROOT
def test_devices_are_refused(world: World) -> None:
    _plant_and_collect(world, _device, "VLT103")


@NEEDS_ROOT
def test_a_whiteout_in_a_copy_is_but_a_device(copy: World) -> None:
    _plant_and_collect(copy, lambda path: os.mknod(path, 0o20600, os.makedev(0, 0)), "VLT103")


def test_a_whiteout_of_nothing_is_no_deletion(overlay: World) -> None:
    overlay.begin()
    overlay.end()
    os.mknod(overlay.raw / "ghost", 0o20600, os.makedev(0, 0))
    assert listing(overlay.collect()) == []


def test_setgid_of_the_vault_itself_is_not_held_against_the_run(overlay: World) -> None:
    (overlay.notes / "Inbox").chmod(0o2755)
    inside = overlay.begin()
    (inside / "Inbox/new").mkdir()
    (inside / "Inbox/new/n.md").write_text("n")
    assert (inside / "Inbox/new").stat().st_mode & 0o2000
    assert listing(overlay.collect()) == ["+Inbox/new/", "+Inbox/new/n.md"]


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("VLT105", b"\xff.md"),
        ("VLT106", b"line\nbreak.md"),
        ("VLT106", b"\x1b[2J.md"),
        ("VLT106", "photo\u202egpj.exe".encode()),
        ("VLT106", "a\u2215b".encode()),
        ("VLT106", b"..\\up"),
        ("VLT106", "\u2025".encode()),  # NFKC makes it ".."
        ("VLT108", b"KEEP.MD"),
        ("VLT108", b"keep.md."),
        ("VLT108", "ke\u200bep.md".encode()),
    ],
)
def test_names_are_refused(world: World, rule: str, name: bytes) -> None:
    inside = world.begin()
    (inside / os.fsdecode(name)).write_text("x")
    changes = world.collect()
    assert rules(changes) == {rule}
    assert changes.refusals[0].subject.encode().isascii() or changes.refusals[0].subject.isprintable()


def test_two_new_names_that_are_one_elsewhere_collide(world: World) -> None:
    inside = world.begin()
    (inside / "caf\u00e9.md").write_text("composed")
    (inside / "cafe\u0301.md").write_text("decomposed")
    assert rules(world.collect()) == {"VLT108"}


def test_changing_the_case_of_a_name_is_no_collision(world: World) -> None:
    inside = world.begin()
    (inside / "keep.md").rename(inside / "Keep.md")
    assert listing(world.collect()) == ["+Keep.md", "-keep.md"]


def test_ordinary_unicode_names_pass(world: World) -> None:
    inside = world.begin()
    names = ["日記.md", "naïve – “quoted”.md", "👩\u200d🔬 lab.md", "½ price?.md"]
    for name in names:
        (inside / name).write_text("x")
    assert {c.path for c in world.collect().changes} == set(names)


# -- quotas


def test_too_many_entries(world: World) -> None:
    inside = world.begin()
    for number in range(11):
        (inside / f"{number}.md").write_text("x")
    assert rules(world.collect(Quotas(files=10))) == {"VLT109"}


def test_deletions_count_too(world: World) -> None:
    shutil.rmtree(world.begin() / "Inbox")
    assert rules(world.collect(Quotas(files=3))) == {"VLT109"}


def test_what_was_copied_and_left_alone_does_not_count(copy: World) -> None:
    for number in range(30):
        copy.write(f"Many/{number}/note.md", "x")
    (copy.begin() / "Many/7/note.md").write_text("y")
    assert listing(copy.collect(Quotas(files=1))) == ["~Many/7/note.md"]


def test_too_many_bytes_in_all(world: World) -> None:
    inside = world.begin()
    for number in range(3):
        (inside / f"{number}.md").write_bytes(b"x" * 400)
    assert rules(world.collect(Quotas(total_bytes=1000))) == {"VLT110"}


def test_a_sparse_terabyte_is_refused_unread(world: World) -> None:
    with (world.begin() / "sparse").open("wb") as file:
        file.truncate(2**40)
    assert rules(world.collect()) == {"VLT111"}


def test_too_deep_and_too_long(world: World) -> None:
    inside = world.begin()
    (inside / "/".join("d" * 5)).mkdir(parents=True)
    assert rules(world.collect(Quotas(depth=4))) == {"VLT107"}


def test_path_length(world: World) -> None:
    inside = world.begin()
    (inside / ("n" * 200)).mkdir()
    (inside / ("n" * 200) / ("m" * 200)).write_text("")
    assert rules(world.collect(Quotas(path_bytes=300))) == {"VLT107"}


def test_findings_are_bounded(world: World) -> None:
    inside = world.begin()
    for number in range(100):
        (inside / f"{number}.md").symlink_to("/")
    assert len(world.collect().refusals) <= 20


# -- the vault's own links, and other file systems


@pytest.mark.parametrize("how", ["replace", "delete", "delete with its directory"])
def test_links_of_the_vault_are_left_alone(world: World, how: str) -> None:
    link = world.notes / "Inbox/link.md"
    link.symlink_to(world.canary)
    inside = world.begin()
    if how == "delete with its directory":
        shutil.rmtree(inside / "Inbox")
    else:
        (inside / "Inbox/link.md").unlink(missing_ok=True)
        if how == "replace":
            (inside / "Inbox/link.md").write_text("mine")
    changes = world.collect()
    if (how, world.view) == ("delete", "copy"):
        assert listing(changes) == []  # it was never there
    elif (how, world.view) == ("delete with its directory", "copy"):
        assert "-Inbox/link.md" not in listing(changes)
        assert rules(changes) == {"VLT112"}
    else:
        assert rules(changes) == {"VLT112"}
    assert link.is_symlink()
    assert world.canary.read_text() == "host secret"


def test_what_is_outside_the_grants_is_not_copied(copy: World) -> None:
    copy.write("Private/secret.md", "secret")
    (copy.notes / "Inbox/link.md").symlink_to(copy.canary)
    inside = copy.begin(VaultGrants(read=("Inbox/sub",), write=("Out/x",)))
    assert tree(inside) == {"Inbox": "/", "Inbox/sub": "/", "Inbox/sub/b.md": "beta"}
    assert listing(copy.collect()) == []


@NEEDS_ROOT
def test_modes_and_owners_of_copies(copy: World) -> None:
    copy.write("Read/r.md", "r")
    inside = copy.begin(VaultGrants(read=("Read",), write=("Inbox",)))
    modes = {str(p.relative_to(inside)): p.stat().st_mode & 0o7777 for p in sorted(inside.rglob("*"))}
    assert modes["Read"] == 0o500
    assert modes["Read/r.md"] == 0o400
    assert modes["Inbox"] == modes["Inbox/sub"] == 0o700
    assert modes["Inbox/a.md"] == 0o600
    assert {(p.stat().st_uid, p.stat().st_gid) for p in (inside, *inside.rglob("*"))} == {(OWNER, OWNER)}


# -- live swappers: impossible once the processes are dead; safe all the same


def test_a_live_swapper_gains_nothing(copy: World) -> None:
    """A thread swaps a file for a link to the canary, and a directory for a link to its parent, all the time."""
    inside = copy.begin()
    (inside / "f").write_text("harmless")
    (inside / "d").mkdir()
    (inside / "d/canary").write_text("harmless")
    (inside / "l").symlink_to(copy.canary)
    (inside / "k").symlink_to(copy.base)
    stop = threading.Event()

    def swap() -> None:
        spare = copy.base / "swap"
        while not stop.is_set():
            for one, two in (("f", "l"), ("d", "k")):
                (inside / one).rename(spare)
                (inside / two).rename(inside / one)
                spare.rename(inside / two)

    thread = threading.Thread(target=swap)
    thread.start()
    seen: set[str] = set()
    try:
        for _ in range(150):
            changes = copy.collect()
            seen |= rules(changes)
            staging = changes.staging
            if staging is not None:
                assert "host secret" not in {path.read_text() for path in staging.path.iterdir()}
            changes.discard()
    finally:
        stop.set()
        thread.join()
    assert seen  # the links were met
    assert copy.canary.read_text() == "host secret"


def _becomes_link(path: Path, canary: Path) -> None:
    path.unlink()
    path.symlink_to(canary)


def _becomes_fifo(path: Path, canary: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _becomes_hard_link(path: Path, canary: Path) -> None:
    path.unlink()
    os.link(canary, path)


def _disappears(path: Path, canary: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("swap", [_becomes_link, _becomes_fifo, _becomes_hard_link, _disappears])
@pytest.mark.parametrize("when", ["before it is looked at", "after it is looked at"])
def test_a_swap_at_the_worst_moment_is_refused(
    world: World, swap: Callable[[Path, Path], None], when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.begin() / "f").write_text("harmless")
    world.end()

    def lstat_and_swap(name: str, parent: int) -> os.stat_result | None:
        if name == "f" and when.startswith("before"):
            swap(world.raw / "f", world.canary)
        found = lstat(name, parent)
        if name == "f" and when.startswith("after"):
            swap(world.raw / "f", world.canary)
        return found

    monkeypatch.setattr("orchestrator.vault.collect.lstat", lstat_and_swap)
    changes = world.collect()
    assert len(changes.refusals) == 1
    assert changes.entries == ()
    assert not list(world.vault.staging_area.glob("*/*"))


def test_a_file_that_grows_while_it_is_read_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.begin() / "f").write_text("harmless")
    world.end()
    real = Staging.add

    def grow(self: Staging, source: int, at_most: int) -> Staged:
        staged = real(self, source, at_most)
        with (world.raw / "f").open("a") as file:
            file.write("more")
        return staged

    monkeypatch.setattr(Staging, "add", grow)
    assert rules(world.collect()) == {"VLT114"}


def test_a_view_moved_away_while_it_is_collected_is_no_changes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removing a slot begins so. What is missing then, the run did not delete; what was read does not count."""
    (world.begin() / "Inbox/a.md").write_text("changed")
    world.end()
    view, real = world.raw, _Walk._scan

    def move_and_scan(walk: _Walk, frame: _Frame) -> None:
        if view.exists():
            view.rename(view.with_name("erase-it"))
            shutil.rmtree(view.with_name("erase-it") / "Inbox")
        real(walk, frame)

    monkeypatch.setattr(_Walk, "_scan", move_and_scan)
    with pytest.raises(VaultError, match="nothing was committed"):
        world.collect()
    assert not list(world.vault.staging_area.glob("*/*"))


def test_a_copy_as_young_as_the_run_is_compared_by_content(copy: World) -> None:
    """Within one clock tick, an equal change time does not prove that nothing was written."""
    copy.begin()
    before = copy.slot.before
    assert before is not None
    inbox = before.directories["Inbox"]
    inbox.digests["a.md"] = "not its digest"  # so that a comparison by content shows
    known = inbox.get("a.md")
    assert known is not None
    assert known.copy is not None
    copy.slot.moment = Moment(known.copy.ctime_ns + 1, exact=False)
    assert "~Inbox/a.md" not in listing(copy.collect())
    copy.slot.moment = Moment(known.copy.ctime_ns, exact=False)
    assert "~Inbox/a.md" in listing(copy.collect())


@pytest.fixture
def mounted(world: World) -> Iterator[Path]:
    """Another file system in the middle of the vault."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    point = world.notes / "Inbox/sub"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(point)], check=True)
    (point / "b.md").write_text("elsewhere")
    yield point
    subprocess.run(["umount", str(point)], check=True)


def test_other_file_systems_in_the_vault_are_out_of_reach(world: World, mounted: Path) -> None:
    inside = world.begin()
    assert not (inside / "Inbox/sub/b.md").exists() or (inside / "Inbox/sub/b.md").read_text() == "beta"
    (inside / "Inbox/sub").mkdir(exist_ok=True)
    (inside / "Inbox/sub/b.md").write_text("changed")
    changes = world.collect()
    assert rules(changes) == {"VLT113"}
    assert (mounted / "b.md").read_text() == "elsewhere"


def test_a_fifo_with_a_writer_does_not_hang(world: World) -> None:
    world.begin()
    world.end()
    os.mkfifo(world.raw / "pipe")
    assert rules(world.collect()) == {"VLT103"}


# -- conflicts


def test_a_persons_edit_of_the_same_note_is_a_conflict(overlay: World) -> None:
    inside = overlay.begin()
    overlay.edit("Inbox/a.md", "a person was here")
    (inside / "Inbox/a.md").write_text("skill")
    assert rules(overlay.collect()) == {"VLT301"}


def test_an_edit_just_before_the_run_is_none(overlay: World) -> None:
    """Within one tick of the kernel's clock; see moment.py."""
    overlay.write("Inbox/a.md", "just now")
    inside = overlay.begin()
    (inside / "Inbox/a.md").write_text("skill")
    assert listing(overlay.collect()) == ["~Inbox/a.md"]


def test_a_note_that_a_person_deleted_meanwhile_does_not_come_back(overlay: World) -> None:
    inside = overlay.begin()
    with (inside / "Inbox/a.md").open("a") as note:
        note.write(" more")
    overlay.edit("Inbox/passing.md", "so that the directory's stamp is later than the begin")
    (overlay.notes / "Inbox/a.md").unlink()
    assert rules(overlay.collect()) == {"VLT301"}


def test_a_deletion_of_what_a_person_edited_is_a_conflict(overlay: World) -> None:
    inside = overlay.begin()
    shutil.rmtree(inside / "Inbox")
    overlay.edit("Inbox/sub/b.md", "a person was here")
    assert rules(overlay.collect()) == {"VLT301"}


def test_edits_elsewhere_are_none(world: World) -> None:
    inside = world.begin()
    world.edit("Inbox/other.md", "a person was here")
    (inside / "Inbox/a.md").write_text("skill")
    assert listing(world.collect()) == ["~Inbox/a.md"]


def test_unpopulated_slots_are_a_mistake_of_the_caller(world: World) -> None:
    with pytest.raises(ValueError, match="never populated"):
        world.collect()


def test_the_view_none_has_no_changes(base: Path) -> None:
    world = World(base, "none")
    world.slot.populate(EVERYTHING)
    assert world.slot.mounts == []
    assert listing(world.collect()) == []
    world.close()
