"""The Python distributions of the image: fetched by pip on this machine, checked by hash, unpacked and never run.

``requirements.txt`` is read strictly here first: only pinned, hashed names, so that neither an option nor a URL
in it can make pip do anything else.
"""

from __future__ import annotations

import email.parser
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.errors import ImageError
from orchestrator.image.contents import SITE
from orchestrator.image.tree import Entry, Tree, clean_path, file

PYTHON_VERSION = "3.13"
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[A-Za-z0-9.!+_-]+)"
    r"(?P<hashes>(?: +--hash=sha256:[0-9a-f]{64})+)"
)
_GLIBC_MINORS = range(5, 42)  # manylinux_2_5 to manylinux_2_41, trixie's glibc
_SECONDS = 300.0
_UNPACKED_LIMIT = 200 * 2**20  # bytes of all wheels; the image's own limit is lower still


@dataclass(frozen=True, slots=True)
class Requirement:
    name: str
    version: str


def parse_requirements(text: str) -> tuple[Requirement, ...]:
    """The pins in a requirements file. ``ImageError`` for anything but comments and pinned, hashed requirements."""
    joined = re.sub(r"\\\n", " ", text)
    requirements = []
    for line in joined.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _REQUIREMENT.fullmatch(stripped)
        if not found:
            raise ImageError(
                f"sandbox-image/requirements.txt: {stripped!r} is not `NAME==VERSION --hash=sha256:...`",
                hint="pin the version and give a sha256 for each architecture; options and URLs are not accepted",
            )
        requirements.append(Requirement(found["name"], found["version"]))
    return tuple(requirements)


def fetch(requirements: Path, machine: str) -> Tree:
    """The unpacked wheels for CPython 3.13 on ``machine`` ("x86_64", "aarch64"), below ``SITE``."""
    if not parse_requirements(requirements.read_text(encoding="utf-8")):
        return {}
    with tempfile.TemporaryDirectory(prefix="wheels-") as name:
        _download(requirements, machine, Path(name))
        tree: Tree = {}
        for wheel in sorted(Path(name).iterdir()):
            tree.update(unpack_wheel(wheel))
        return tree


def _download(requirements: Path, machine: str, into: Path) -> None:
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBC_MINORS] + [f"manylinux2014_{machine}"]
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--require-hashes", "--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON_VERSION}",
        "--abi=cp313", "--abi=abi3", "--abi=none", *(f"--platform={tag}" for tag in platforms),
        f"--requirement={requirements}", f"--dest={into}",
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - our own pip, arguments as a list
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    if done.returncode != 0:
        raise ImageError(
            f"pip could not fetch the wheels of {requirements.name}:\n{done.stderr.strip()[-2000:]}",
            hint="check the network or pip's configured index; every requirement needs a wheel for CPython 3.13",
        )


def unpack_wheel(wheel: Path) -> Tree:
    """A wheel's importable files. Scripts, headers and data files are left out: nothing could start or find them."""
    tree: Tree = {}
    with zipfile.ZipFile(wheel) as archive:
        if sum(member.file_size for member in archive.infolist()) > _UNPACKED_LIMIT:
            raise ImageError(f"{wheel.name} unpacks to more than {_UNPACKED_LIMIT // 2**20} MB; refused")
        for member in archive.infolist():
            name = _installed_name(clean_path(member.filename, wheel.name))
            if name and not member.is_dir():
                tree[f"{SITE}/{name}"] = file(archive.read(member))
    return tree


def _installed_name(name: str) -> str | None:
    parts = PurePosixPath(name).parts
    if not parts or not parts[0].endswith(".data"):
        return name
    return str(PurePosixPath(*parts[2:])) if len(parts) > 2 and parts[1] in ("purelib", "platlib") else None


def distributions(tree: Mapping[str, Entry]) -> dict[str, str]:
    """Name -> version of the distributions below ``SITE``, by their own metadata (pip checked their hashes)."""
    found: dict[str, str] = {}
    for name, entry in sorted(tree.items()):
        if PurePosixPath(name).match(f"{SITE}/*.dist-info/METADATA"):
            metadata = email.parser.BytesHeaderParser().parsebytes(entry.content)
            found[metadata["Name"]] = metadata["Version"]
    return found
