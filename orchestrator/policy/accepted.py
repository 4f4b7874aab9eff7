"""The last accepted policy files, kept under the state directory: which they are, and copies to fall back on.

Layout, all of it 0700 and 0600::

    <state_dir>/policies/accepted.json          {"digest": ..., "files": "set-..."}
    <state_dir>/policies/set-.../*.toml, seccomp/*.json

A set is written beside the old one and becomes the accepted one by the rename of ``accepted.json``: a crash leaves the
old set or the new one. A directory that others may write is not believed.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from orchestrator.policy.load import PolicyFiles, read_policy_files
from orchestrator.private import is_private, make_directory, sync, write_new, write_private

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
    make_directory(home)
    name = f"set-{secrets.token_hex(8)}"
    _write_set(home / name, files)
    write_private(marker_path(state_dir), json.dumps({"digest": digest, "files": name}).encode(), synced=True)
    _remove_others(home, name)


def _write_set(directory: Path, files: PolicyFiles) -> None:
    profiles = directory / "seccomp"
    directory.mkdir(mode=0o700)
    profiles.mkdir(mode=0o700)
    for level, content in files.levels.items():
        write_new(directory / f"{level}.toml", content, synced=True)
    for name, content in files.profiles.items():
        write_new(profiles / name, content, synced=True)
    sync(profiles)
    sync(directory)


def _remove_others(home: Path, name: str) -> None:
    for entry in home.iterdir():
        if _SET.match(entry.name) and entry.name != name:
            shutil.rmtree(entry, ignore_errors=True)
