"""``image.json`` in the state directory: which image was built last, so that runs can be pinned to its id."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from pathlib import Path

from orchestrator import strictjson
from orchestrator.errors import ImageError
from orchestrator.image.model import BuiltImage
from orchestrator.private import read_private, write_private

_NAME = "image.json"
_VERSION = 1
_LIMIT = 64 * 1024  # bytes; a real one has about 2 kB
_FORMS = {
    "image_id": r"sha256:[0-9a-f]{64}",
    "layer_digest": r"sha256:[0-9a-f]{64}",
    "architecture": r"amd64|arm64",
    "python_version": r"3\.\d{1,3}\.\d{1,3}",
    "inputs_digest": r"[0-9a-f]{64}",
}


def remember(state_dir: Path, image: BuiltImage) -> None:
    """Write ``image.json`` (mode 0600) in one step: a reader sees the old one or the new one."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    document = {"version": _VERSION, **asdict(image)}
    write_private(state_dir / _NAME, json.dumps(document, indent=2, sort_keys=True).encode(), synced=True)


def recall(state_dir: Path) -> BuiltImage | None:
    """The image remembered last, or None when none was. ``ImageError`` for a file that ``remember`` never writes."""
    path = state_dir / _NAME
    try:
        return _parse(read_private(path, _LIMIT))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ImageError(f"{path} is damaged ({error})", hint="delete it and build the image again") from error


def _parse(content: bytes) -> BuiltImage:
    document = strictjson.loads(content, max_bytes=_LIMIT, max_depth=3, what=_NAME)
    if not isinstance(document, dict) or document.pop("version", None) != _VERSION:
        raise ValueError(f"not of version {_VERSION}")
    if set(document) != {field.name for field in fields(BuiltImage)}:
        raise ValueError("its keys are not the expected ones")
    for key, form in _FORMS.items():
        if not isinstance(document[key], str) or not re.fullmatch(form, document[key], re.ASCII):
            raise ValueError(f"{key} is malformed")
    if type(document["size_bytes"]) is not int or document["size_bytes"] <= 0:
        raise ValueError("size_bytes is malformed")
    for key in ("packages", "debs"):
        if not isinstance(document[key], dict) or not all(isinstance(value, str) for value in document[key].values()):
            raise ValueError(f"{key} is malformed")
    return BuiltImage(**document)
