"""The last accepted policy files, kept under the state directory: which they are, and copies to fall back on.

Layout, all of it 0700 and 0600::

    <state_dir>/policies/accepted.json          {"digest": ..., "files": "set-..."}
    <state_dir>/policies/set-.../*.toml, seccomp/*.json

A set is written beside the old one and becomes the accepted one by the rename of ``accepted.json``: a crash leaves the
old set or the new one. A directory that others may write is not believed.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from orchestrator.policy.load import PolicyFiles, read_policy_files
from orchestrator.private import is_private

_SET = re.compile(r"set-[0-9a-f]{16}\Z")


@dataclass(frozen=True, slots=True)
class AcceptedSet:
    """``digest`` is of the policies in ``directory`` (store.py says how it is made)."""

    digest: str
    directory: Path

    def files(self) -> PolicyFiles:
        return read_policy_files(self.directory)


def marker_path(state_dir: Path) -> Path:
    """The file that names the accepted set."""
    return state_dir / "policies" / "accepted.json"


def read_accepted(state_dir: Path) -> AcceptedSet | None:
    """The accepted set, or None: nothing accepted yet, unreadable, or not ours to believe (logged)."""
    marker = marker_path(state_dir)
    try:
        if not is_private(marker.parent.lstat(), stat.S_ISDIR):
            logger.warning("policies: {} can be written by others; what was accepted before is ignored", marker.parent)
            return None
        content = json.loads(marker.read_bytes())
        digest, name = str(content["digest"]), str(content["files"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("policies: {} cannot be used: {!r}", marker, error)
        return None
    return AcceptedSet(digest, marker.parent / name) if _SET.match(name) else None


def write_accepted(state_dir: Path, files: PolicyFiles, digest: str) -> None:
    """Make ``files`` the accepted set. Raises OSError; then the old set is still the accepted one."""
    home = marker_path(state_dir).parent
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(home.lstat(), stat.S_ISDIR):
        raise PermissionError(f"{home} can be written by others")
    name = f"set-{secrets.token_hex(8)}"
    _write_set(home / name, files)
    _write(home / f"{name}.json", json.dumps({"digest": digest, "files": name}).encode())
    (home / f"{name}.json").replace(marker_path(state_dir))
    _sync_directory(home)
    _remove_others(home, name)


def _write_set(directory: Path, files: PolicyFiles) -> None:
    profiles = directory / "seccomp"
    directory.mkdir(mode=0o700)
    profiles.mkdir(mode=0o700)
    for level, content in files.levels.items():
        _write(directory / f"{level}.toml", content)
    for name, content in files.profiles.items():
        _write(profiles / name, content)
    _sync_directory(profiles)
    _sync_directory(directory)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_others(home: Path, name: str) -> None:
    for entry in home.iterdir():
        if _SET.match(entry.name) and entry.name != name:
            shutil.rmtree(entry, ignore_errors=True)
