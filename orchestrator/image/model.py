"""What a built image is, as a value, and the check that the engine holds exactly that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orchestrator.errors import ImageError
from orchestrator.image.archive import ENTRYPOINT, ENVIRONMENT, USER, WORKING_DIRECTORY

TAG = "skill-orchestrator/sandbox:latest"  # for people; runs are pinned to the id
SIZE_LIMIT = 55 * 2**20  # bytes, as the engine reports them
PROTOCOL = "1"  # of supervisor.py; the host refuses an image that speaks another
_LABEL = "io.skill-orchestrator"


class ImageStore(Protocol):
    """The engine's verbs about images. ``DockerEngine`` has them."""

    def load_image(self, path: Path) -> str:
        """Load a docker-archive with one image; that image's id ("sha256:...")."""
        ...

    def inspect_image(self, ref: str) -> Mapping[str, Any] | None:
        """The engine's inspect document of an image id or tag, or None when it has no such image."""
        ...

    def tag_image(self, image_id: str, ref: str) -> None: ...


@dataclass(frozen=True, slots=True)
class BuiltImage:
    image_id: str  # "sha256:...", what runs are pinned to
    layer_digest: str  # "sha256:..." of the one layer
    architecture: str  # Docker's name: "amd64", "arm64"
    size_bytes: int  # as the engine reported it after loading
    python_version: str  # "3.13.5"
    packages: Mapping[str, str]  # Python distributions: name -> version
    debs: Mapping[str, str]  # Debian packages: name -> version
    inputs_digest: str  # of everything the build read; see recipe.py

    @property
    def python(self) -> tuple[int, int]:
        """Major and minor version."""
        major, minor, *_ = self.python_version.split(".")
        return int(major), int(minor)

    def labels(self) -> dict[str, str]:
        return make_labels(self.python_version, self.packages, self.debs)


def make_labels(python_version: str, packages: Mapping[str, str], debs: Mapping[str, str]) -> dict[str, str]:
    """The image's labels. ``packages`` and ``debs`` are JSON objects, name -> version."""
    return {
        f"{_LABEL}.packages": json.dumps(dict(packages), sort_keys=True),
        f"{_LABEL}.debs": json.dumps(dict(debs), sort_keys=True),
        f"{_LABEL}.python": python_version,
        f"{_LABEL}.protocol": PROTOCOL,
    }


def verify(document: Mapping[str, Any], image: BuiltImage) -> None:
    """Raise ``ImageError`` unless the engine's inspect ``document`` describes ``image`` and nothing more.

    A volume, a health check, a trigger, another user or another command would all reach the sandbox without
    being asked for: whatever the configuration holds beyond the expected is refused, known or not.
    """
    config = document.get("Config")
    if not isinstance(config, Mapping):
        raise ImageError("the engine's description of the sandbox image has no Config")
    rootfs = document.get("RootFS")
    facts: dict[str, tuple[Any, Any]] = {
        "Id": (document.get("Id"), image.image_id),
        "Os": (document.get("Os"), "linux"),
        "Architecture": (document.get("Architecture"), image.architecture),
        "RootFS.Layers": (rootfs.get("Layers") if isinstance(rootfs, Mapping) else None, [image.layer_digest]),
    }
    expected = {
        "User": USER,
        "Env": list(ENVIRONMENT),
        "Entrypoint": list(ENTRYPOINT),
        "WorkingDir": WORKING_DIRECTORY,
        "Labels": image.labels(),
    }
    facts |= {f"Config.{key}": (config.get(key), value) for key, value in expected.items()}
    facts |= {f"Config.{key}": (value, None) for key, value in config.items() if key not in expected and value}
    wrong = [f"{key} is {found!r}, expected {value!r}" for key, (found, value) in facts.items() if found != value]
    if wrong:
        raise ImageError("the engine's sandbox image is not the one that was built: " + "; ".join(wrong))
