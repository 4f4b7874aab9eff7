"""Slots appear with the right mounts, and go without a trace whatever a run left in them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import VaultError
from orchestrator.manifest.model import VaultGrants
from orchestrator.vault.populate import CopyQuotas
from orchestrator.vault.root import Vault
from orchestrator.vault.slots import Slots, sweep_vault
from tests.vault.conftest import NEEDS_ROOT
from tests.vault.world import EVERYTHING, OWNER, World, as_owner


def _slots(world: World) -> list[Path]:
    return list((world.vault.state_dir / "slots").glob("*/*"))


def test_overlay_mount(overlay: World) -> None:
    (mount,) = overlay.slot.mounts
    assert (mount["Type"], mount["Target"]) == ("volume", "/vault")
    assert "Source" not in mount  # anonymous: removed with its container
    options = mount["VolumeOptions"]["DriverConfig"]["Options"]
    assert options["type"] == "overlay"
    assert {"nosuid", "nodev", "noexec", "userxattr", "index=off"} < set(options["o"].split(","))
    assert f"lowerdir={overlay.notes}" in options["o"].split(",")


def test_copy_mount(copy: World) -> None:
    (mount,) = copy.slot.mounts
    assert (mount["Type"], mount["Target"]) == ("bind", "/vault")
    assert mount["Source"] == str(copy.slot.path / "v")


@NEEDS_ROOT
def test_the_sandbox_owns_its_view_and_nobody_else_enters(world: World) -> None:
    assert (world.raw.stat().st_uid, world.raw.stat().st_mode & 0o777) == (OWNER, 0o700)
    for above in (world.slot.path, world.slot.path.parent, world.slot.path.parent.parent):
        assert (above.stat().st_uid, above.stat().st_mode & 0o777) == (0, 0o700)


def test_removed_whatever_is_in_it(world: World) -> None:
    inside = world.begin()
    (inside / "locked/in").mkdir(parents=True)
    (inside / "locked/in/f").write_text("x")
    (inside / "Inbox/a.md").unlink()
    (inside / "link").symlink_to(world.base)
    world.end()
    os.mkfifo(world.raw / "pipe")
    (world.raw / "locked/in").chmod(0)
    (world.raw / "locked").chmod(0)
    world.slot.remove()
    assert _slots(world) == []
    assert world.canary.exists()
    assert (world.notes / "Inbox/a.md").exists()
    world.slot.remove()  # again: nothing to do


def test_a_tree_deeper_than_any_path_or_descriptor_table(copy: World) -> None:
    copy.begin()
    directory = os.open(copy.raw, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d" * 100, dir_fd=directory)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(directory)
    copy.slot.remove()
    assert _slots(copy) == []


@NEEDS_ROOT
def test_removed_without_root(base: Path) -> None:
    """Directories of mode 000 made by the same uid."""
    base.chmod(0o777)

    def run() -> int:
        world = World(base, "copy")
        inside = world.begin(VaultGrants(read=("Inbox",)))
        assert not os.access(inside / "Inbox", os.W_OK)
        (inside / "Inbox/sub").chmod(0)
        (inside / "Inbox").chmod(0)
        world.close()
        return len(_slots(world))

    assert as_owner(run) == 0


@NEEDS_ROOT
def test_what_only_root_could_remove_serves_the_next_overlay(base: Path) -> None:
    """The kernel leaves a whiteout of root's in the work directory of a run that deleted something."""
    world = World(base, "overlay")
    (world.begin() / "Inbox/a.md").unlink()
    world.end()
    work = world.slot.path / "w"
    leftovers = work / "work"
    assert list(leftovers.iterdir())
    subprocess.run(["rm", "-r", str(leftovers / "incompat")], check=True)  # of "volatile", which only root uses
    subprocess.run(["chown", "-R", "--no-dereference", f"{OWNER}:{OWNER}", str(base)], check=True)
    subprocess.run(["chown", "-R", "0:0", str(leftovers)], check=True)

    def run() -> tuple[list[Path], bool, bool]:
        world.slot.remove()
        left = _slots(world)
        spare = world.vault.state_dir / "spare"
        kept = len(list(spare.iterdir())) == 1
        world.prepare()
        return left, kept, (world.slot.path / "w/work").exists() and not list(spare.iterdir())

    assert as_owner(run) == ([], True, True)


def test_too_much_to_copy(copy: World) -> None:
    with pytest.raises(VaultError, match="too many entries"):
        copy.slot.populate(EVERYTHING, CopyQuotas(entries=3))
    second = copy.slots.prepare("copy", *copy.vault.sandbox_ids())
    with pytest.raises(VaultError, match="too many bytes"):
        second.populate(EVERYTHING, CopyQuotas(total_bytes=5))
    second.remove()


def test_grants_cannot_leave_the_vault(copy: World) -> None:
    with pytest.raises(VaultError, match="leaves the vault"):
        copy.slot.populate(VaultGrants(read=("../",)))


def test_our_hidden_directory_is_not_copied(copy: World) -> None:
    copy.write(".orchestrator/staging/x", "another run's")
    assert not (copy.begin() / ".orchestrator").exists()


def test_sweep_takes_dead_owners_only(world: World) -> None:
    (world.begin() / "new.md").write_text("x")
    changes = world.collect()
    other = Slots(world.vault, "alive").prepare(world.view, *world.vault.sandbox_ids())
    asked: list[str] = []

    def live(instance: str) -> bool:
        asked.append(instance)
        return instance == "alive"

    assert sweep_vault(world.vault, live) == 2
    assert set(asked) == {"alive", "test-instance"}
    assert other.path.exists()
    assert not world.slot.path.exists()
    assert changes.staging is not None
    assert not changes.staging.path.exists()
    other.remove()


def test_sweep_of_nothing(base: Path) -> None:
    (base / "notes").mkdir()
    assert sweep_vault(Vault(base / "notes", base / "state"), lambda _: False) == 0


@pytest.mark.parametrize("instance", ["", "..", "a/b", "-x", "x" * 65])
def test_instance_ids_are_plain(world: World, instance: str) -> None:
    with pytest.raises(ValueError, match="instance id"):
        Slots(world.vault, instance)
