"""``Vault``: a directory of notes that people edit and skills may see - checked once, opened safely ever after.

Responsible for the directory itself: is it fit, who owns it, which views it allows, where content waits to be
committed, and the lock that makes commits one after another. Not for any content.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import VaultError
from orchestrator.sandbox.spec import VaultView
from orchestrator.vault.descriptors import DIRECTORY, opened
from orchestrator.vault.names import shown

HIDDEN = ".orchestrator"  # ours, in the vault's root; no skill may ever write there
NOBODY = 65532  # the ids of "nonroot" in distroless images: nobody's on a host

# The engine splits mount options at commas, the kernel at colons, and both know escapes of their own.
_OVERLAY_UNFIT = frozenset(',:\\"\n')
_OVERLAY_PATH_BYTES = 1000  # lower, upper and work share one 4 KiB page of mount options


class Vault:
    """Thread-safe. Raises ``VaultError`` (with what to do) where the directory is not fit to be a vault."""

    def __init__(self, root: Path, state_dir: Path) -> None:
        """``state_dir`` is a directory only ours to write, made if missing. Links in ``root`` are resolved now; a
        vault that is replaced afterwards is refused, not followed."""
        self.root = _resolved_root(root)
        self.state_dir = _private_directory(state_dir)
        if self.root.is_relative_to(self.state_dir):
            raise VaultError(f"the vault {shown(str(self.root))} lies in the state directory", hint="move one of them")
        self._hidden = self.state_dir.is_relative_to(self.root)
        if self._hidden and not self.state_dir.is_relative_to(self.root / HIDDEN):
            raise VaultError(
                f"the state directory {shown(str(self.state_dir))} lies among the vault's notes",
                hint=f"move it out of the vault, or into its {HIDDEN} directory",
            )
        entry = self.root.stat()
        self._identity = (entry.st_dev, entry.st_ino)
        self.uid, self.gid = entry.st_uid, entry.st_gid
        self.warnings = _warnings(self.root)
        self.staging_area = self._choose_staging_area()

    @property
    def identity(self) -> tuple[int, int]:
        """``st_dev`` and ``st_ino`` of the root."""
        return self._identity

    @property
    def device(self) -> int:
        """``st_dev`` of the vault; whatever lies on another one is not part of it."""
        return self._identity[0]

    def open(self) -> int:
        """A descriptor of the root, which the caller closes."""
        try:
            descriptor = os.open(self.root, DIRECTORY)
        except OSError as error:
            raise VaultError(f"the vault cannot be opened: {error.strerror}", hint="check the vault setting") from error
        entry = os.fstat(descriptor)
        if (entry.st_dev, entry.st_ino) != self._identity:
            os.close(descriptor)
            raise VaultError(
                f"{shown(str(self.root))} is not the directory it was at start any more",
                hint="start again to use the new one",
            )
        return descriptor

    @contextmanager
    def locked(self) -> Iterator[int]:
        """The root's descriptor, with the vault's lock held: nobody of ours commits to it meanwhile.

        The lock lies on the directory itself, so it holds across threads, processes and state directories, and
        ends with its process.
        """
        with opened(self.open()) as descriptor:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                raise VaultError(
                    f"the vault cannot be locked: {error.strerror}", hint="keep the vault on a local file system"
                ) from error
            yield descriptor

    def sandbox_ids(self) -> tuple[int, int]:
        """The uid and gid that sandboxes run as; never 0.

        The owner's, so that a skill may read and change what the owner may. A root-owned vault: ``NOBODY``; its
        copies are handed over to that. A vault of somebody else while we are not root: our own, because we can
        neither hand files over nor read what another uid leaves.
        """
        uid, gid = self.uid, self.gid
        if os.geteuid() not in {0, self.uid}:
            uid, gid = os.geteuid(), os.getegid()
        return uid or NOBODY, gid or NOBODY

    def usable_views(self, *, engine_remote: bool, overlay_works: bool | None) -> tuple[VaultView, ...]:
        """The views that can be offered here, best first. ``overlay_works`` None: not known yet."""
        if engine_remote:
            return ("none",)  # neither view reaches a kernel elsewhere
        overlay = (
            sys.platform == "linux"
            and overlay_works is not False
            and self.uid != 0
            and os.geteuid() in {0, self.uid}
            and not self._hidden  # the kernel refuses an upper directory inside its own lower one
            and all(_fits_overlay(path) for path in (self.root, self.state_dir))
        )
        return ("overlay", "copy") if overlay else ("copy",)

    def _choose_staging_area(self) -> Path:
        """In the state directory where a rename from there into the vault works, else in the vault's hidden one."""
        return (self.state_dir if _mount_id(self.state_dir) == _mount_id(self.root) else self.root / HIDDEN) / "staging"


def _resolved_root(root: Path) -> Path:
    hint = "set vault to an existing directory of notes"
    try:
        resolved = root.expanduser().resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: no such home, or a loop of links (Python 3.11, 3.12)
        raise VaultError(f"the vault {shown(str(root))} cannot be found: {error}", hint=hint) from error
    if not resolved.is_dir():
        raise VaultError(f"the vault {shown(str(resolved))} is not a directory", hint=hint)
    if resolved == Path(resolved.anchor):
        raise VaultError("the root of the file system cannot be a vault", hint=hint)
    if not os.access(resolved, os.R_OK | os.X_OK):
        raise VaultError(f"the vault {shown(str(resolved))} cannot be read", hint="check its owner and mode")
    return resolved


def _private_directory(path: Path) -> Path:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        resolved = path.resolve(strict=True)
        entry = resolved.stat()
    except OSError as error:
        raise VaultError(
            f"the state directory {shown(str(path))} cannot be made: {error.strerror}", hint="set state_dir elsewhere"
        ) from error
    if entry.st_uid != os.geteuid() or entry.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise VaultError(
            f"the state directory {shown(str(resolved))} is writable by others",
            hint="make it yours with mode 0700, or set state_dir elsewhere",
        )
    return resolved


def _warnings(root: Path) -> tuple[str, ...]:
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    if root == home or home.is_relative_to(root):
        return ("the vault holds a whole home directory: keys and settings in it are within reach of grants",)
    return ()


def _fits_overlay(path: Path) -> bool:
    text = str(path)
    return not _OVERLAY_UNFIT & set(text) and text.isprintable() and len(os.fsencode(text)) <= _OVERLAY_PATH_BYTES


def _mount_id(path: Path) -> str:
    """The kernel's id of the mount that ``path`` lies on: ``st_dev`` is one for two mounts of a file system, but a
    rename from one to the other fails. From proc(5), fdinfo."""
    with opened(os.open(path, DIRECTORY)) as descriptor:
        for line in Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines():
            if line.startswith("mnt_id:"):
                return line
    return f"st_dev:{path.stat().st_dev}"
