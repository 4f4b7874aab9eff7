"""Runs ``rootfs.sh``: on this machine if it is Debian or Ubuntu, or else in a Debian container.

Keeps the result in a cache directory. A cached one is used until the script changes or a fresh one is asked for, which
is how Debian's security updates get in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from orchestrator.errors import ImageError
from orchestrator.image.recipe import Recipe
from orchestrator.private import draft

Progress = Callable[[str], None]

_SECONDS = 900.0
_KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
_CONTAINER = "debian:trixie-slim"
_IN_CONTAINER = "{ apt-get update && apt-get install -y --no-install-recommends mmdebstrap; } >&2 </dev/null && sh -s"


def rootfs_archive(recipe: Recipe, cache: Path, progress: Progress, *, fresh: bool = False) -> Path:
    """The path of rootfs.sh's tar archive."""
    path = cache / f"rootfs-{recipe.rootfs_digest()[:16]}.tar"
    if path.is_file() and not fresh:
        return path
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    with draft(path) as made:
        with made.open("wb") as out:
            _run(_command(progress), recipe.rootfs_script, out.fileno())
        made.replace(path)
    return path


def _command(progress: Progress) -> list[str]:
    """The command that runs a script from its standard input with mmdebstrap at hand."""
    if not _tools_present() and shutil.which("apt-get"):
        _install(progress)
    if _tools_present():
        progress("fetching and unpacking Debian packages (mmdebstrap)")
        return ["sh", "-s"]
    if docker := shutil.which("docker"):
        progress(f"this is no Debian or Ubuntu with mmdebstrap: running rootfs.sh in a container of {_CONTAINER}")
        label = "--label=io.skill-orchestrator.build=rootfs"
        return [docker, "run", "--rm", "--interactive", label, _CONTAINER, "sh", "-c", _IN_CONTAINER]
    raise ImageError(
        "the image is made from Debian packages, and neither mmdebstrap nor a `docker` command is here",
        hint="on Debian or Ubuntu: apt-get install mmdebstrap debian-archive-keyring; elsewhere: install `docker`",
    )


def _tools_present() -> bool:
    keyring = any(Path("/usr/share/keyrings", name).is_file() for name in _KEYRINGS)
    return keyring and all(shutil.which(tool) for tool in ("mmdebstrap", "apt-get", "dpkg-deb"))


def _install(progress: Progress) -> None:
    """Install mmdebstrap as root or through sudo; when neither may be had, leave it to the caller to notice."""
    if os.geteuid() == 0:
        prefix = []
    elif sudo := shutil.which("sudo"):
        prefix = [sudo] if sys.stdin.isatty() else [sudo, "--non-interactive"]
    else:
        return
    progress("installing mmdebstrap and debian-archive-keyring with apt-get" + (", through sudo" if prefix else ""))
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "mmdebstrap", "debian-archive-keyring"]
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    for command in (["apt-get", "update"], install):
        done = subprocess.run(  # noqa: S603 - fixed commands
            [*prefix, *environment, *command], stdout=sys.stderr, check=False, timeout=_SECONDS
        )
        if done.returncode != 0 and command is install:
            progress("apt-get could not install mmdebstrap")


def _run(command: list[str], script: Path, out: int) -> None:
    with script.open("rb") as program:
        done = subprocess.run(  # noqa: S603 - fixed commands, the script is the recipe's
            command, stdin=program, stdout=out, stderr=subprocess.PIPE, check=False, timeout=_SECONDS
        )
    if done.returncode != 0:
        message = done.stderr.decode(errors="replace").strip()[-2000:]
        raise ImageError(
            f"rootfs.sh failed with exit code {done.returncode}:\n{message}",
            hint="check that this machine reaches Debian's archive, and that debian-archive-keyring is up to date",
        )
