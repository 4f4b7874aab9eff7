"""The image as a docker-archive: one layer, one configuration, and no byte that differs from build to build.

The image id of Docker's classic store is the SHA-256 of the configuration, which names the layer's SHA-256: equal
trees and equal labels give equal ids, on any machine and on any day.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.image.contents import OURS, PYTHON, USER_ID
from orchestrator.image.tree import FIXED_TIME, Entry, write_tar

# The byte code, by its file: of a program it is told to run, Python compiles the text at each start.
ENTRYPOINT = (f"/{PYTHON}", "-I", "-S", "-B", f"/{OURS}/__pycache__/supervisor.cpython-313.pyc")
USER = f"{USER_ID}:{USER_ID}"
ENVIRONMENT = ("PATH=/usr/bin", "LANG=C.UTF-8")
WORKING_DIRECTORY = "/"
_CREATED = "2025-01-01T00:00:00Z"  # FIXED_TIME, as the image format writes it


@dataclass(frozen=True, slots=True)
class Written:
    config_digest: str  # "sha256:..."
    layer_digest: str  # "sha256:..." of the uncompressed layer, the engine's "diff id"
    layer_bytes: int


def configuration(layer_digest: str, architecture: str, labels: Mapping[str, str]) -> bytes:
    """The image's configuration (OCI image spec). No Cmd, no volume, no health check: the image brings nothing else."""
    document = {
        "architecture": architecture,
        "os": "linux",
        "created": _CREATED,
        "config": {
            "User": USER,
            "Env": list(ENVIRONMENT),
            "Entrypoint": list(ENTRYPOINT),
            "WorkingDir": WORKING_DIRECTORY,
            "Labels": dict(labels),
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        "history": [{"created": _CREATED, "created_by": "skill-orchestrator"}],
    }
    return _json(document)


def write_archive(tree: Mapping[str, Entry], architecture: str, labels: Mapping[str, str], out: Path) -> Written:
    """Write the docker-archive ``out``; what is in it, by digest."""
    buffer = io.BytesIO()
    write_tar(tree, buffer)
    layer = buffer.getvalue()
    layer_digest = _sha256(layer)
    config = configuration(layer_digest, architecture, labels)
    config_digest = _sha256(config)
    layer_name = f"{layer_digest.removeprefix('sha256:')}/layer.tar"
    config_name = f"{config_digest.removeprefix('sha256:')}.json"
    manifest = _json([{"Config": config_name, "RepoTags": None, "Layers": [layer_name]}])
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in ((config_name, config), (layer_name, layer), ("manifest.json", manifest)):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(content), FIXED_TIME, 0o644
            archive.addfile(member, io.BytesIO(content))
    return Written(config_digest, layer_digest, len(layer))


def _json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
