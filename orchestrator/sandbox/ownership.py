"""Who owns which container: one locked file per living orchestrator process.

Every container carries the id of its process (instance) and of that process's state directory. An instance lives as
long as somebody holds the lock on its file; the kernel drops the lock with the process, however it died, so neither a
reused pid nor a rebooted host can be mistaken for a living owner. Containers of other state directories are never ours
to judge.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
import time
from pathlib import Path
from typing import Final

from orchestrator.errors import SettingsError
from orchestrator.private import is_private, make_once

_ID: Final = re.compile(r"[0-9a-f]{16}")
_TRIES: Final = 1000  # a second


def private_directory(path: Path) -> Path:
    """``path``, made if need be, mode 0700 and owned by us; SettingsError when it is somebody else's or a link."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = path.lstat()
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be used: {error.strerror}", hint="set state_dir to another place"
        ) from error
    if not is_private(status, stat.S_ISDIR, forbidden=0):
        raise SettingsError(f"{path} must be a directory of our own, not a link", hint="set state_dir to another place")
    if status.st_mode & 0o077:
        path.chmod(0o700)
    return path


def state_id(state_dir: Path) -> str:
    """The random name of this state directory, made on first use."""
    file = private_directory(state_dir) / "id"
    make_once(file, secrets.token_hex(8).encode())
    found = file.read_text("ascii").strip()
    if not _ID.fullmatch(found):
        raise SettingsError(f"{file} is damaged", hint=f"remove {file} while no orchestrator runs on this state_dir")
    return found


def _lock(path: Path) -> int | None:
    """A descriptor that holds the lock on ``path``, or None while somebody else does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if not path.exists() or os.fstat(descriptor).st_ino != path.stat().st_ino:
        os.close(descriptor)  # removed or replaced between open and lock: not the file others look at
        return None
    return descriptor


def _claimed(path: Path) -> int:
    """The lock on a new claim. Whoever sweeps at this very moment may hold it for an instant, to see whether it is
    dead, or even remove the file: without the lock its sandboxes would be taken for a dead one's."""
    for _ in range(_TRIES):
        if (descriptor := _lock(path)) is not None:
            return descriptor
        time.sleep(0.001)
    raise SettingsError(f"{path} cannot be locked", hint="keep state_dir on a local file system")


class Instance:
    """This process's claim. Hold it until every container of it is gone."""

    def __init__(self, state_dir: Path) -> None:
        self.state_id = state_id(state_dir)
        self._directory = private_directory(state_dir / "instances")
        self.id = secrets.token_hex(8)
        self._descriptor: int | None = _claimed(self._path(self.id))

    def _path(self, instance_id: str) -> Path:
        return self._directory / instance_id

    def release(self) -> None:
        """Give the claim up and remove its file. Idempotent."""
        if self._descriptor is not None:
            self._path(self.id).unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def forget_in_child(self) -> None:
        """After a fork: drop the child's copy, which would keep the lock past the parent's death."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def alive(self, instance_id: str) -> bool:
        """Whether some process holds that claim now. An id without a file has no owner any more."""
        if not _ID.fullmatch(instance_id):
            return True  # not one of ours: leave it alone
        path = self._path(instance_id)
        if not path.exists():
            return False
        descriptor = _lock(path)
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def clear(self, instance_id: str) -> None:
        """Remove a dead instance's file, once nothing of it is left."""
        if instance_id != self.id and not self.alive(instance_id):
            self._path(instance_id).unlink(missing_ok=True)

    def others(self) -> list[str]:
        """Ids of all other claims on this state directory, dead or alive."""
        return sorted(entry.name for entry in self._directory.iterdir() if entry.name != self.id)
