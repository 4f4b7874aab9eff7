"""A vault, a slot and (overlay view) a real mount, so that a test can do what a sandbox would do in ``inside``."""

from __future__ import annotations

import os
import pickle
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from orchestrator.manifest.model import VaultGrants
from orchestrator.sandbox.spec import VaultView
from orchestrator.vault.changes import ChangeSet
from orchestrator.vault.collect import collect
from orchestrator.vault.root import Vault
from orchestrator.vault.slots import COPY, UPPER, Slots
from orchestrator.vault.tally import Quotas

OWNER = 1000
EVERYTHING = VaultGrants(write=(".",))
T = TypeVar("T")


class World:
    """``base`` holds ``notes`` (the vault, owned by ``OWNER`` when we are root) and ``state``."""

    def __init__(self, base: Path, view: VaultView) -> None:
        self.base = base
        self.view = view
        self.notes = base / "notes"
        self.notes.mkdir()
        self.canary = base / "canary"
        self.canary.write_text("host secret")
        self.write("Inbox/a.md", "alpha")
        self.write("Inbox/sub/b.md", "beta")
        self.write("keep.md", "kept")
        self.vault = Vault(self.notes, base / "state")
        self.slots = Slots(self.vault, "test-instance")
        self.mounted: Path | None = None
        self.prepare()

    def prepare(self) -> None:
        self.slot = self.slots.prepare(self.view, *self.vault.sandbox_ids())

    def write(self, path: str, text: str) -> Path:
        """What a person does: write a note in the vault."""
        note = self.notes / path
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(text)
        if os.geteuid() == 0:
            for each in (note, *note.parents):
                if each == self.base:
                    break
                os.chown(each, OWNER, OWNER)
        return note

    def edit(self, path: str, text: str) -> None:
        """What a person does during a run: ``write``, until the kernel's clock has ticked since the run began."""
        moment = self.slot.moment
        assert moment is not None
        while not moment.touched_since(self.write(path, text).stat()):
            self.notes.joinpath(path).unlink()

    def begin(self, grants: VaultGrants = EVERYTHING) -> Path:
        """Start a run; the directory that would be /vault inside."""
        self.slot.populate(grants)
        if self.view == "copy":
            return self.slot.path / COPY
        options = self.slot.mounts[0]["VolumeOptions"]["DriverConfig"]["Options"]["o"]
        self.mounted = self.base / "mnt"
        self.mounted.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(self.mounted)], check=True)
        return self.mounted

    def end(self) -> None:
        """The container is gone, and its mount with it."""
        if self.mounted is not None:
            subprocess.run(["umount", str(self.mounted)], check=True)
            self.mounted = None

    @property
    def raw(self) -> Path:
        """Where hostile entries can be planted behind the kernel's back."""
        return self.slot.path / (UPPER if self.view == "overlay" else COPY)

    def collect(self, quotas: Quotas | None = None) -> ChangeSet:
        self.end()
        return collect(self.slot, quotas=quotas or Quotas())

    def close(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self.end()
        self.slot.remove()


def listing(changes: ChangeSet) -> list[str]:
    """Changes in short: "+" created, "~" modified, "-" deleted; directories end with a slash."""
    sign = {"created": "+", "modified": "~", "deleted": "-"}
    return [f"{sign[c.kind]}{c.path}{'/' if c.directory else ''}" for c in changes.changes]


def rules(changes: ChangeSet) -> set[str]:
    return {each.rule for each in changes.refusals + changes.conflicts}


def tree(root: Path) -> dict[str, str]:
    """Every path below ``root`` with its content (directories: "/", links: their target)."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        found[name] = f"-> {path.readlink()}" if path.is_symlink() else "/" if path.is_dir() else path.read_text()
    return found


def as_owner(action: Callable[[], T]) -> T:
    """Run ``action`` in a process without root's powers; its value (pickled) or its failure."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        answer: tuple[bool, object]
        try:
            os.setgroups([])
            os.setgid(OWNER)
            os.setuid(OWNER)
            answer = (True, action())
        except BaseException as error:  # noqa: BLE001 - handed to the parent, whatever it is
            answer = (False, repr(error))
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        succeeded, value = pickle.load(pipe)
    os.waitpid(child, 0)
    assert succeeded, value
    result: T = value
    return result
