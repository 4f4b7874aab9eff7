"""``load_manifest``: from a file, bytes or a dict to a ``SkillManifest``, or to every problem at once.

::

    source -> strict JSON values -> JSON Schema + checks + code text -> problems? -> frozen SkillManifest

A dict goes the same way as a file: it is copied strictly first, so later changes of it have no effect. The code is read
once; the string that is hashed here is the one that is scanned and run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from orchestrator import strictjson
from orchestrator.errors import ManifestError, Problem
from orchestrator.manifest import checks
from orchestrator.manifest.code import MAX_CODE_BYTES, code_problems, decode_code
from orchestrator.manifest.document import manifest_digest
from orchestrator.manifest.files import Unreadable, read_beneath, read_file
from orchestrator.manifest.model import CacheRule, ReviewRules, SkillManifest, VaultGrants
from orchestrator.manifest.on_error import on_error_of
from orchestrator.manifest.schema import compiled_manifest_schema
from orchestrator.sandbox.spec import Limits
from orchestrator.schemas import copy_json, freeze
from orchestrator.schemas.explain import quote
from orchestrator.schemas.formats import is_vault_path
from orchestrator.schemas.values import MAX_PROBLEMS
from orchestrator.text import one_line

MAX_MANIFEST_BYTES: Final = 2 * 2**20
MAX_MANIFEST_DEPTH: Final = 64
MAX_MANIFEST_NODES: Final = 100_000
_CODE_FILE: Final = "/code_file"


@dataclass(frozen=True, slots=True)
class _Code:
    text: str = ""
    filename: str = "skill.py"
    problems: tuple[Problem, ...] = ()


def load_manifest(
    source: Path | str | Mapping[str, Any] | bytes, *, base_dir: Path | str | None = None
) -> SkillManifest:
    """The validated manifest, or ``ManifestError`` whose ``problems`` lists everything wrong, sorted by JSON pointer.

    A ``str`` or ``Path`` is a file's path, ``bytes`` are JSON text, a mapping is the document itself. ``code_file`` is
    looked up below the manifest's directory; a document that is no file needs ``base_dir`` for that. Security level and
    all other optional keys take the defaults written in ``skill-manifest.schema.json``.
    """
    what = f"manifest {one_line(str(source), 200)}" if isinstance(source, str | Path) else "manifest"
    base = Path(source).parent if isinstance(source, str | Path) and base_dir is None else base_dir
    document = _document(source, what)
    if not isinstance(document, dict):
        raise _error(what, [Problem("", f"is {quote(document)}", "an object")])
    code = _code(document, None if base is None else Path(base))
    try:
        return _validated(strictjson.dumps_canonical(document), code)
    except _Invalid as error:
        raise _error(what, error.problems) from None


class _Invalid(Exception):  # noqa: N818 - carries problems to where the manifest's name is known
    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems


@lru_cache(maxsize=64)
def _validated(canonical: bytes, code: _Code) -> SkillManifest:
    """Pure in its arguments, so a skill that is run again and again is validated once: 0.4 ms saved on each run."""
    document = json.loads(canonical)
    problems = compiled_manifest_schema().problems(document)
    for check in checks.ALL:
        problems += check(document)
    problems += code.problems
    if problems:
        raise _Invalid(problems)
    return _skill(document, code)


def _error(what: str, problems: list[Problem]) -> ManifestError:
    ordered = sorted(set(problems), key=lambda problem: (problem.pointer, problem.message))
    count = "1 problem" if len(ordered) == 1 else f"{len(ordered)} problems"
    more = f", the first {MAX_PROBLEMS} are shown" if len(ordered) > MAX_PROBLEMS else ""
    return ManifestError(f"{what}: {count}{more}", tuple(ordered[:MAX_PROBLEMS]))


def _document(source: Path | str | Mapping[str, Any] | bytes, what: str) -> Any:
    if isinstance(source, Mapping):
        return _copied(source, what)
    try:
        raw = source if isinstance(source, bytes) else read_file(Path(source), MAX_MANIFEST_BYTES)
    except Unreadable as error:
        raise _error(what, [Problem("", f"the file {error.reason}", error.expected)]) from None
    try:
        return strictjson.loads(
            raw, max_bytes=MAX_MANIFEST_BYTES, max_depth=MAX_MANIFEST_DEPTH, max_nodes=MAX_MANIFEST_NODES, what=what
        )
    except strictjson.StrictJSONError as error:
        where = "" if error.offset is None else f" (byte {error.offset})"
        raise _error(what, [Problem("", error.reason + where, "one strict JSON document")]) from None


def _copied(source: Mapping[str, Any], what: str) -> Any:
    document, problems = copy_json(
        source, max_depth=MAX_MANIFEST_DEPTH, max_nodes=MAX_MANIFEST_NODES, max_characters=MAX_MANIFEST_BYTES
    )
    if not problems and (size := len(strictjson.dumps_canonical(document))) > MAX_MANIFEST_BYTES:
        problems = [Problem("", f"takes {size} bytes as JSON", f"at most {MAX_MANIFEST_BYTES}")]
    if problems:
        raise _error(what, problems)
    return document


def _code(document: Mapping[str, Any], base: Path | None) -> _Code:
    """The code text, inline or read now; its size and place are checked before anything else is."""
    text, file = document.get("code"), document.get("code_file")
    if isinstance(text, str):
        return _Code(text, problems=tuple(code_problems(text, "/code")))
    if not isinstance(file, str) or file == "." or not is_vault_path(file):
        return _Code()  # the schema reports it
    if base is None:
        message = "is relative to the manifest's file, but this manifest is not one"
        return _Code(problems=(Problem(_CODE_FILE, message, "the code inline, or load_manifest(..., base_dir=...)"),))
    return _read_code(base, file)


def _read_code(base: Path, file: str) -> _Code:
    try:
        raw = read_beneath(base, file, MAX_CODE_BYTES)
    except Unreadable as error:
        return _Code(
            problems=(Problem(_CODE_FILE, f'the file "{one_line(file, 200)}" {error.reason}', error.expected),)
        )
    text, fault = decode_code(raw)
    if fault:
        return _Code(problems=(Problem(_CODE_FILE, f"the file {fault}", "Python source in UTF-8"),))
    return _Code(text, Path(file).name, tuple(code_problems(text, _CODE_FILE)))


def _limits(asked: Mapping[str, Any]) -> Limits:
    """JSON has one kind of number: seconds become floats, so that 30 and 30.0 are one limit and one digest."""
    defaults = asdict(Limits())
    return Limits(**{name: type(defaults[name])(value) for name, value in asked.items()})


def _review(asked: Mapping[str, Any]) -> ReviewRules:
    return ReviewRules(**{**asked, "outside": tuple(asked.get("outside", ()))})


def _skill(document: Mapping[str, Any], code: _Code) -> SkillManifest:
    """``document`` has no problems. What it leaves out takes the model's defaults (the schema's: a test compares)."""
    plain = {
        key: document[key]
        for key in ("name", "version", "description", "entrypoint", "security_level", "pure")
        if key in document
    }
    trees = ("inputs_schema", "output_schema", "inputs", "metadata", "dependencies")
    frozen = {key: freeze(document[key]) for key in trees if key in document}
    vault = {key: tuple(paths) for key, paths in document.get("vault", {}).items()}
    skill = SkillManifest(
        **plain,
        **frozen,
        code=code.text,
        limits=_limits(document.get("limits", {})),
        vault=VaultGrants(**vault),
        review=_review(document.get("review", {})),
        recovery=on_error_of(document.get("on_error", {})),
        cache=None if "cache" not in document else CacheRule(float(document["cache"]["ttl_seconds"])),
        code_digest=hashlib.sha256(code.text.encode()).hexdigest(),
        filename=code.filename,
    )
    return replace(skill, digest=manifest_digest(skill))
