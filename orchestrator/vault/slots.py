"""``Slots`` and ``Slot``: one private directory per sandbox, where its view of the vault lives until the run is over.

Theory of operation. ``state_dir/slots/<instance>/<slot>/`` is mode 0700 and ours; in it ``u`` and ``w`` are the
upper and work directories of an overlay, or ``v`` the copy that is bound into the sandbox. The names say nothing, since
/proc/self/mountinfo inside the sandbox shows them (and the paths of ``state_dir`` and of the vault: choose them so).
A warm sandbox is created with an empty slot; ``populate`` is called when a run leases it and marks the run's begin.

The kernel leaves a directory of root's in ``w``: empty, and then anybody who owns ``w`` can remove it, unless
the run deleted something, in which case a whiteout stays in it that only root can remove. When we are not root, such a
``w`` goes to ``state_dir/spare`` and serves the next overlay, whose mount empties it: there are never more
of them than sandboxes ran at once.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.errors import VaultError
from orchestrator.manifest.model import VaultGrants
from orchestrator.sandbox.spec import VaultView
from orchestrator.vault import journal
from orchestrator.vault.baseline import CopiedDirectory
from orchestrator.vault.descriptors import DIRECTORY, names, open_directory, opened
from orchestrator.vault.erase import erase
from orchestrator.vault.moment import Moment
from orchestrator.vault.overlay import copy_mount, overlay_mount
from orchestrator.vault.populate import Copying, CopyQuotas
from orchestrator.vault.root import Vault
from orchestrator.vault.scope import Scope
from orchestrator.vault.staging import Spares, Staging

_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
UPPER, WORK, COPY = "u", "w", "v"


class Slot:
    """One sandbox's view. Single use; not thread-safe (one run owns it)."""

    def __init__(self, vault: Vault, view: VaultView, path: Path, staging: Staging) -> None:
        """Made by ``Slots.prepare``."""
        self.vault = vault
        self.view: VaultView = view
        self.path = path
        self.staging = staging
        self.before: CopiedDirectory | None = None  # copy view, once populated
        self.moment: Moment | None = None  # the run's begin, once populated
        self._owner: tuple[int, int] | None = None

    @property
    def mounts(self) -> list[Mapping[str, Any]]:
        """HostConfig.Mounts of the sandbox's container; empty for the view "none"."""
        if self.view == "overlay":
            return [overlay_mount(self.vault.root, self.path / UPPER, self.path / WORK)]
        return [copy_mount(self.path / COPY)] if self.view == "copy" else []

    def populate(self, grants: VaultGrants, quotas: CopyQuotas | None = None, forbidden: Sequence[str] = ()) -> None:
        """Begin a run: mark the moment, and (copy view) copy what ``grants`` names. Call once, before the job is
        sent. Granted directories that do not exist are skipped, and what matches a ``forbidden`` pattern is not
        copied. ``VaultError`` when it is too much."""
        if self.view == "none":
            return
        with opened(os.open(self.path, DIRECTORY)) as slot:
            if self.view == "copy":
                copying = Copying(Scope(grants), self.vault.device, self._owner, quotas or CopyQuotas(), forbidden)
                with opened(self.vault.open()) as source, opened(open_directory(COPY, slot)) as target:
                    self.before = copying.run(source, target)
            self.moment = Moment.now(slot)

    def remove(self) -> None:
        """Remove everything of the slot. Idempotent. Call once the container is gone, since a mount may hold it."""
        if self.view == "none":
            return
        with suppress(FileNotFoundError), opened(os.open(self.path.parent, DIRECTORY)) as instance:
            _remove_slot(self.path.name, instance, self.vault.state_dir / "spare")

    def make(self, owner: tuple[int, int]) -> None:
        """Create the directories; called by ``Slots.prepare``. ``owner`` is the sandbox's uid and gid."""
        self._owner = owner if os.geteuid() == 0 else None
        self.path.mkdir(mode=0o700)
        for name in (UPPER, WORK) if self.view == "overlay" else (COPY,):
            if name == WORK and _take_spare(self.vault.state_dir / "spare", self.path / WORK):
                continue
            (self.path / name).mkdir(mode=0o700)
            if self._owner is not None:
                os.chown(self.path / name, *self._owner)


class Slots:
    """The slots of one running orchestrator. Thread-safe."""

    def __init__(self, vault: Vault, instance: str) -> None:
        """``instance`` is this process's id, unique on the machine (letters, digits, "_" and "-")."""
        if not _INSTANCE.fullmatch(instance):
            raise ValueError(f"not an instance id: {instance!r}")
        self._vault = vault
        self._instance = instance
        self._directory = vault.state_dir / "slots" / instance
        self._spares = Spares()

    def prepare(self, view: VaultView, uid: int, gid: int) -> Slot:
        """A new, empty slot for a sandbox that will run as ``uid``:``gid``. ``VaultError`` when it cannot be made."""
        staging = Staging(self._vault.staging_area, self._instance, self._spares)
        slot = Slot(self._vault, view, self._directory / secrets.token_hex(8), staging)
        if view == "none":
            return slot
        if os.geteuid() not in {0, uid}:
            raise VaultError(
                f"a sandbox of uid {uid} cannot share a view with uid {os.geteuid()}", hint="use Vault.sandbox_ids()"
            )
        try:
            for directory in (self._directory.parent, self._directory):
                directory.mkdir(mode=0o700, exist_ok=True)
            slot.make((uid, gid))
        except OSError as error:
            raise VaultError(f"no slot can be made: {error}", hint="check state_dir's space and inodes") from error
        return slot


def sweep(state_dir: Path, live: Callable[[str], bool]) -> int:
    """Remove the slots and staging directories of instances for which ``live`` is false; how many directories went.

    Never a live instance's. Call with ``vault.root / HIDDEN`` too, where content is staged when the state directory
    lies on another file system: ``sweep_vault`` does both.
    """
    removed = 0
    for kind, remove in (("slots", _remove_slot), ("staging", _remove_staging)):
        with suppress(FileNotFoundError), opened(os.open(state_dir / kind, DIRECTORY)) as area:
            for instance in names(area):
                if not live(instance):
                    removed += _sweep_instance(instance, area, remove, state_dir / "spare")
    return removed


def sweep_vault(vault: Vault, live: Callable[[str], bool]) -> int:
    """``sweep`` wherever this vault may have left something."""
    places = {vault.state_dir, vault.staging_area.parent}
    return sum(sweep(place, live) for place in places)


def _sweep_instance(name: str, area: int, remove: Callable[[str, int, Path], None], spare: Path) -> int:
    with opened(open_directory(name, area)) as instance:
        doomed = names(instance)
        for each in doomed:
            remove(each, instance, spare)
        if names(instance):
            return 0  # an unfinished transaction: recovery needs it
    os.rmdir(name, dir_fd=area)
    return len(doomed)


def _remove_staging(name: str, instance: int, spare: Path) -> None:
    with opened(open_directory(name, instance)) as staging:
        if journal.state_of(staging):
            return
    erase(name, instance)


def _remove_slot(name: str, instance: int, spare: Path) -> None:
    if os.geteuid() != 0:
        with suppress(FileNotFoundError, NotADirectoryError), opened(open_directory(name, instance)) as slot:
            _retire_work(slot, spare)
    erase(name, instance)


def _retire_work(slot: int, spare: Path) -> None:
    """Keep a work directory that we cannot empty for the next overlay (see the module's docstring)."""
    with suppress(FileNotFoundError):
        with opened(open_directory(WORK, slot)) as work:
            try:
                os.rmdir("work", dir_fd=work)
            except FileNotFoundError:
                return
            except OSError:  # ENOTEMPTY: a whiteout of root's is in it
                pass
            else:
                return
        spare.mkdir(mode=0o700, exist_ok=True)
        os.rename(WORK, spare / secrets.token_hex(8), src_dir_fd=slot)


def _take_spare(spare: Path, destination: Path) -> bool:
    """Move a kept work directory to ``destination``; False when there is none. A rename gives each to one taker."""
    with suppress(FileNotFoundError):
        for name in os.listdir(spare):  # noqa: PTH208
            with suppress(FileNotFoundError):
                (spare / name).rename(destination)
                return True
    return False
