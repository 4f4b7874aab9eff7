"""``image.json`` in the state directory: which image was built last, so that runs can be pinned to its id."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import asdict, fields
from pathlib import Path

from orchestrator import strictjson
from orchestrator.errors import ImageError
from orchestrator.image.model import BuiltImage

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
    descriptor, name = tempfile.mkstemp(dir=state_dir, prefix=f".{_NAME}-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=2, sort_keys=True)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(state_dir / _NAME)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def recall(state_dir: Path) -> BuiltImage | None:
    """The image remembered last, or None when none was. ``ImageError`` for a file that ``remember`` never writes."""
    path = state_dir / _NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(_LIMIT + 1)
    try:
        return _parse(content)
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
