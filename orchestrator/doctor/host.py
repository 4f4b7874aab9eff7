"""Checks of this machine and of the directories that the orchestrator keeps and the skills work on."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.doctor.model import Check, Seen, Severity, either, failed, passed, unknown
from orchestrator.settings import Settings
from orchestrator.vault.root import Vault

_FREE_BYTES: Final = 512 * 2**20
_FREE_INODES: Final = 10_000
_OPEN_FILES: Final = 1024
_OLDEST_PYTHON: Final = (3, 11)
_SYSTEM: Final = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
)  # and below
_SHARED: Final = ("/", "/home", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var", "/var/lib")  # noqa: S108 - themselves


@dataclass(frozen=True, slots=True)
class HostFacts:
    settings: Settings
    euid: int
    python: tuple[int, int, int]


def gather(settings: Settings) -> HostFacts:
    major, minor, micro = sys.version_info[:3]
    return HostFacts(settings, os.geteuid(), (major, minor, micro))


def _root(facts: HostFacts) -> Seen:
    return either(facts.euid != 0, f"uid {facts.euid}")


def _python(facts: HostFacts) -> Seen:
    return either(facts.python[:2] >= _OLDEST_PYTHON, ".".join(map(str, facts.python)))


def _open_files(_facts: HostFacts) -> Seen:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return either(soft == resource.RLIM_INFINITY or soft >= _OPEN_FILES, str(soft))


def _state_dir(facts: HostFacts) -> Seen:
    path = facts.settings.state_dir
    if not path.exists() and not path.is_symlink():
        return passed(f"{path} does not exist yet; it will be made, mode 0700")
    found = path.lstat()
    evidence = f"{path}: owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}"
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == facts.euid and not found.st_mode & 0o077
    return either(private, evidence)


def _above_state_dir(facts: HostFacts) -> Seen:
    """Whoever may write a directory above can put another one in its place."""
    for parent in facts.settings.state_dir.resolve().parents:
        found = parent.stat() if parent.exists() else None
        loose = found is not None and found.st_mode & (stat.S_IWOTH | stat.S_IWGRP) and not found.st_mode & stat.S_ISVTX
        if loose or (found is not None and found.st_uid not in (0, facts.euid)):
            return failed(f"{parent} can be changed by others")
    return passed("no directory above can be changed by others")


def _state_apart(facts: HostFacts) -> Seen:
    vault = facts.settings.vault
    if vault is None:
        return passed("there is no vault")
    state, notes = facts.settings.state_dir.resolve(), vault.resolve()
    inside = state.is_relative_to(notes) or notes.is_relative_to(state)
    return either(not inside, f"state: {state}, vault: {notes}")


def _space(path: Path) -> Seen:
    existing = next(each for each in (path, *path.parents) if each.exists())
    free, inodes = shutil.disk_usage(existing).free, os.statvfs(existing)
    evidence = f"{free // 2**20} MB and {inodes.f_favail} inodes free at {existing}"
    enough_inodes = inodes.f_files == 0 or inodes.f_favail >= _FREE_INODES  # 0: the file system does not count them
    return either(free >= _FREE_BYTES and enough_inodes, evidence)


def _vault(look: Callable[[Path, HostFacts], Seen]) -> Callable[[HostFacts], Seen]:
    def looked(facts: HostFacts) -> Seen:
        return passed("no vault is set") if facts.settings.vault is None else look(facts.settings.vault, facts)

    return looked


def _vault_usable(path: Path, facts: HostFacts) -> Seen:
    if not path.is_dir():
        return failed(f"{path} is not a directory")
    if not facts.settings.state_dir.exists():
        return unknown("the state directory does not exist yet", Severity.WARNING)
    vault = Vault(path, facts.settings.state_dir)
    return passed(f"{vault.root}, owner {vault.uid}:{vault.gid}; sandboxes run as {vault.sandbox_ids()}")


def _vault_place(path: Path, _facts: HostFacts) -> Seen:
    resolved = path.resolve()
    system = [place for place in _SYSTEM if resolved == Path(place) or resolved.is_relative_to(place)]
    if system or str(resolved) in _SHARED:
        return failed(f"{resolved} is part of the system")
    return passed(str(resolved))


def _vault_home(path: Path, _facts: HostFacts) -> Seen:
    home = Path(os.path.expanduser("~")).resolve()  # noqa: PTH111 - Path.home() raises where there is none
    return either(not home.is_relative_to(path.resolve()), f"home is {home}")


def _same_file_system(path: Path, facts: HostFacts) -> Seen:
    if not facts.settings.state_dir.exists():
        return unknown("the state directory does not exist yet")
    vault = Vault(path, facts.settings.state_dir)
    return either(vault.staging_area.is_relative_to(vault.state_dir), f"content is staged in {vault.staging_area}")


_F, _W, _I = Severity.FATAL, Severity.WARNING, Severity.INFO

CHECKS: Final[tuple[Check[HostFacts], ...]] = (
    Check(
        "host.root", "the orchestrator does not run as root", _W, _root, "use an ordinary user who may use the engine"
    ),
    Check("host.python", "Python", _F, _python, "use Python 3.11 or later"),
    Check("host.files", "enough open files", _W, _open_files, f"ulimit -n {_OPEN_FILES} or more"),
    Check("state.private", "the state directory is ours alone", _F, _state_dir, "chown it to this user, chmod 0700"),
    Check(
        "state.parents",
        "and nobody can replace it",
        _W,
        _above_state_dir,
        "keep it below directories of root or of this user",
    ),
    Check("state.apart", "it is apart from the vault", _F, _state_apart, "set state_dir to a place outside the vault"),
    Check(
        "state.space",
        "room in the state directory",
        _W,
        lambda facts: _space(facts.settings.state_dir),
        "free disk space or inodes",
    ),
    Check(
        "vault.usable",
        "the vault can be used",
        _F,
        _vault(_vault_usable),
        "set vault to an existing directory of notes",
    ),
    Check(
        "vault.place", "it is no part of the system", _F, _vault(_vault_place), "keep notes in a directory of their own"
    ),
    Check("vault.home", "it is not a whole home directory", _W, _vault(_vault_home), "use a directory below it"),
    Check(
        "vault.space", "room in the vault", _W, _vault(lambda path, _facts: _space(path)), "free disk space or inodes"
    ),
    Check(
        "vault.staging",
        "staging on its own file system",
        _W,
        _vault(_same_file_system),
        "put state_dir on the vault's file system; until then changes are staged in the vault's hidden directory",
    ),
)
