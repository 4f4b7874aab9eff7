"""Skills as the files people keep: JSON or TOML manifests, and Python code alone; one by one or a directory of them."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import ManifestError, Problem
from orchestrator.manifest.code import MAX_CODE_BYTES, decode_code
from orchestrator.manifest.files import Unreadable, read_file
from orchestrator.manifest.load import MAX_MANIFEST_BYTES, load_manifest
from orchestrator.manifest.model import SkillManifest

SUFFIXES: Final = frozenset({".json", ".toml", ".py"})
MAX_FILES: Final = 10_000  # looked at below one directory


def load_skill(file: Path) -> SkillManifest:
    """The skill in ``file``, by its suffix: ``.py``, ``.toml``, else JSON. Raises ``ManifestError``."""
    if file.suffix == ".py":
        return load_code(file)
    if file.suffix == ".toml":
        return load_manifest(_toml(file), base_dir=file.parent)
    return load_manifest(file)


def load_code(file: Path) -> SkillManifest:
    """Python code alone, as a skill that asks for nothing: its code is judged by the same rules."""
    try:
        text, fault = decode_code(read_file(file, MAX_CODE_BYTES))
    except Unreadable as error:
        raise ManifestError("code", (Problem("", f"the file {error.reason}", error.expected),)) from None
    if fault:
        raise ManifestError("code", (Problem("", f"the file {fault}", "Python source in UTF-8"),))
    document = {"manifest_version": 1, "name": "code", "version": "0.0.0", "code": text, "entrypoint": None}
    return replace(load_manifest(document), filename=file.name)


def _toml(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(read_file(file, MAX_MANIFEST_BYTES).decode("utf-8"))
    except Unreadable as error:
        problem = Problem("", f"the file {error.reason}", error.expected)
    except (ValueError, RecursionError) as error:
        problem = Problem("", f"is not valid TOML: {error}", "a TOML document in UTF-8")
    raise ManifestError("manifest", (problem,)) from None


def code_place(file: Path) -> Path | None:
    """The file that the code of the skill in ``file`` is in; None where it is written inside the manifest."""
    if file.suffix == ".py":
        return file
    named = _document(file).get("code_file")
    return file.parent / named if isinstance(named, str) else None


def _document(file: Path) -> Mapping[str, Any]:
    """What a manifest that may be invalid says at its top; nothing when it cannot be read."""
    try:
        raw = read_file(file, MAX_MANIFEST_BYTES)
        found = tomllib.loads(raw.decode("utf-8")) if file.suffix == ".toml" else json.loads(raw)
    except (Unreadable, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def skills_in(places: Iterable[Path]) -> tuple[Path, ...]:
    """Every file named, and of every directory named the skills below it, sorted: manifests (what has a
    ``manifest_version``), and Python files that no manifest there names as its code. Hidden ones are left out, links to
    directories are not followed. Raises ``ManifestError`` when there is too much to look at."""
    found: list[Path] = []
    for place in places:
        found += _below(place) if place.is_dir() else [place]
    return tuple(dict.fromkeys(found))


def _below(directory: Path) -> list[Path]:
    files = sorted(_files(directory))
    manifests = {file: _document(file) for file in files if file.suffix != ".py"}
    skills = [file for file, document in manifests.items() if "manifest_version" in document]
    named = {os.path.normpath(place) for file in skills if (place := code_place(file)) is not None}
    return sorted([*skills, *(file for file in files if file.suffix == ".py" and os.path.normpath(file) not in named)])


def _files(directory: Path) -> Iterator[Path]:
    count = 0
    for at, directories, names in os.walk(directory):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        for name in names:
            count += 1
            if count > MAX_FILES:
                problem = Problem("", f"holds more than {MAX_FILES} files", "a directory of skills")
                raise ManifestError("directory", (problem,))
            if not name.startswith(".") and Path(name).suffix in SUFFIXES:
                yield Path(at, name)
