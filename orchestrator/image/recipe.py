"""Where the recipe of the image lies, and the digests that tell whether any of it changed."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ImageError


@dataclass(frozen=True, slots=True)
class Recipe:
    """The directory ``sandbox-image``: rootfs.sh, requirements.txt, supervisor.py and what it imports."""

    directory: Path

    @property
    def rootfs_script(self) -> Path:
        return self.directory / "rootfs.sh"

    @property
    def requirements(self) -> Path:
        return self.directory / "requirements.txt"

    def programs(self) -> tuple[Path, ...]:
        """The .py files that go to /opt/orchestrator. ``ImageError`` unless the entry point is there."""
        found = tuple(sorted(path for path in self.directory.glob("*.py") if path.is_file()))
        if not any(path.name == "supervisor.py" for path in found):
            raise ImageError(f"{self.directory} holds no supervisor.py, the image's entry point")
        return found

    def rootfs_digest(self) -> str:
        """Of what decides the Debian half."""
        return _digest([self.rootfs_script])

    def base_digest(self) -> str:
        """Of what decides everything but our own programs: the recipe's files and this package's code."""
        code = sorted(Path(__file__).parent.glob("*.py"))
        return _digest([self.rootfs_script, self.requirements, *code])

    def inputs_digest(self) -> str:
        """Of everything that a build reads, on this machine."""
        return hashlib.sha256(f"{self.base_digest()} {_digest(self.programs())}".encode()).hexdigest()


def locate() -> Recipe:
    """The recipe inside an installed wheel, or else the one in the checkout."""
    package = Path(__file__).resolve().parent.parent
    for directory in (package / "_sandbox_image", package.parent / "sandbox-image"):
        if (directory / "rootfs.sh").is_file():
            return Recipe(directory)
    raise ImageError("the recipe of the sandbox image is missing from this installation", hint="reinstall the package")


def _digest(files: Iterable[Path]) -> str:
    """Hex SHA-256 over names and contents; the machine counts, for the packages are for its processor."""
    digest = hashlib.sha256(f"{platform.machine()}\n".encode())
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
