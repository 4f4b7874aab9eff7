"""Both views on the real engine: a container as the vault's owner reads, writes and misbehaves in ``/vault``."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.image.model import BuiltImage
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.options import LABEL, LABEL_STATE
from orchestrator.sandbox.ownership import state_id
from orchestrator.sandbox.spec import VaultView
from orchestrator.vault.commit import commit
from tests.vault.world import EVERYTHING, World, listing, rules, tree

PYTHON = "/usr/bin/python3.13"
HONEST = """
import os, shutil
os.chdir("/vault")
assert open("Inbox/a.md").read() == "alpha"
open("Inbox/a.md", "a").write(" and more")
os.makedirs("Out/deep"); open("Out/deep/o.md", "w").write("out")
os.remove("keep.md")
shutil.rmtree("Inbox/sub"); os.mkdir("Inbox/sub"); open("Inbox/sub/new.md", "w").write("n")
print("done")
"""
FORGING = """
import os

os.chdir("/vault")
outcome = []
for name in ("user.overlay.opaque", "trusted.overlay.opaque"):
    try: os.setxattr("Inbox", name, b"y")
    except OSError: pass
try: os.mknod("Inbox/a.md", 0o20600, 0)
except OSError: pass
try: os.mknod("Inbox/nothing", 0o20600, 0)
except OSError: pass
else: outcome.append("whiteout made")
print("done", *outcome)
"""
HOSTILE = 'import os; os.chdir("/vault"); os.symlink("/etc/passwd", "link"); os.mkfifo("pipe"); print("done")'


@pytest.fixture(params=["overlay", "copy"])
def world(request: pytest.FixtureRequest, base: Path) -> Iterator[World]:
    view: VaultView = request.param
    made = World(base, view)
    if view not in made.vault.usable_views(engine_remote=False, overlay_works=None):
        pytest.skip(f"the {view} view cannot be used by this user")
    yield made
    made.slot.remove()


def _run(engine: DockerEngine, image: BuiltImage, state_dir: Path, world: World, code: str) -> str:
    """Run ``code`` in a container with the slot's mounts and none of the other layers; what it printed."""
    uid, gid = world.vault.sandbox_ids()
    options: dict[str, Any] = {
        "Image": image.image_id,
        "User": f"{uid}:{gid}",
        "Entrypoint": [PYTHON, "-I", "-c", code],
        "NetworkDisabled": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "OpenStdin": True,
        "StdinOnce": True,
        "Labels": {LABEL: "1", LABEL_STATE: state_id(state_dir)},
        "HostConfig": {"NetworkMode": "none", "CapDrop": ["ALL"], "AutoRemove": True, "Mounts": world.slot.mounts},
    }
    container = engine.create(f"vault-test-{secrets.token_hex(6)}", options)
    try:
        with engine.attach(container) as stream:
            stream.settimeout(30)
            engine.start(container)
            output = b""
            while piece := stream.recv(65536):
                output += piece
    finally:
        engine.remove(container)
    return output.decode("utf-8", "replace")


def test_a_runs_changes_reach_the_vault(
    world: World, real_engine: DockerEngine, image: BuiltImage, state_dir: Path
) -> None:
    world.slot.populate(EVERYTHING)
    assert "done" in _run(real_engine, image, state_dir, world, HONEST)
    with world.collect() as changes:
        assert listing(changes) == [
            "~Inbox/a.md", "-Inbox/sub/b.md", "+Inbox/sub/new.md", "+Out/", "+Out/deep/", "+Out/deep/o.md", "-keep.md",
        ]  # fmt: skip
        assert (world.notes / "Inbox/a.md").read_text() == "alpha"  # nothing before the commit
        commit(world.vault, changes)
    found = tree(world.notes)
    assert found["Inbox/a.md"] == "alpha and more"
    assert found["Out/deep/o.md"] == "out"
    assert "keep.md" not in found
    assert (world.notes / "Out/deep/o.md").stat().st_uid == (world.notes).stat().st_uid
    world.slot.remove()
    assert not world.slot.path.exists()


def test_edits_after_warming_are_seen(
    world: World, real_engine: DockerEngine, image: BuiltImage, state_dir: Path
) -> None:
    world.write("Inbox/late.md", "written after the slot was made")
    world.slot.populate(EVERYTHING)
    code = 'print(open("/vault/Inbox/late.md").read())'
    assert "written after" in _run(real_engine, image, state_dir, world, code)


def test_the_overlays_marks_cannot_be_forged(
    world: World, real_engine: DockerEngine, image: BuiltImage, state_dir: Path
) -> None:
    world.slot.populate(EVERYTHING)
    output = _run(real_engine, image, state_dir, world, FORGING)
    assert "done" in output
    changes = world.collect()
    assert not any(each.startswith("-") for each in listing(changes))
    if world.view == "overlay":
        assert "whiteout made" not in output
        assert listing(changes) == []


def test_hostile_entries_are_refused(
    world: World, real_engine: DockerEngine, image: BuiltImage, state_dir: Path
) -> None:
    world.slot.populate(EVERYTHING)
    assert "done" in _run(real_engine, image, state_dir, world, HOSTILE)
    before = tree(world.notes)
    assert rules(world.collect()) == {"VLT101", "VLT103"}
    assert tree(world.notes) == before


def test_the_mount_denies_devices_setuid_and_exec(
    base: Path, real_engine: DockerEngine, image: BuiltImage, state_dir: Path
) -> None:
    world = World(base, "overlay")
    if "overlay" not in world.vault.usable_views(engine_remote=False, overlay_works=None):
        pytest.skip("the overlay view cannot be used by this user")
    world.slot.populate(EVERYTHING)
    code = 'print(next(l.split()[5] for l in open("/proc/self/mountinfo") if l.split()[4] == "/vault"))'
    options = _run(real_engine, image, state_dir, world, code)
    world.slot.remove()
    assert all(option in options for option in ("nosuid", "nodev", "noexec"))
