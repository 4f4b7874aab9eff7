"""``Inspection``: what the scanner found in one text, and its form on the way from the child and in the disk cache.

``decode`` believes nothing: size, types, lengths and ids are checked, so that a child that was taken over, or a damaged
file, can at most lie about the findings - it cannot make the host fail or print what is not printable.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator import strictjson
from orchestrator.validation.finding import Finding
from orchestrator.validation.outline import MAX_VALUES, Outline
from orchestrator.validation.rules import RULES

MAX_FINDINGS: Final = 5000  # different ones of one text; more is a denial
MAX_ENCODED_BYTES: Final = 16 * 2**20  # 5000 findings of 500 characters, each escaped to 6 bytes: 15 MB
_MAX_KEPT: Final = MAX_FINDINGS + 100  # those of source.py and the one that says that there are too many come on top
_MAX_TEXT: Final = 2000  # rules.py cuts subject and message at 200; advice is our own text
_MAX_IMPORTS: Final = 100_000  # source.MAX_NODES
_MAX_IMPORT: Final = 256 * 1024  # source.MAX_SOURCE_CHARS: a module's name is as long as the program wants
_MAX_NODES: Final = 8 * _MAX_KEPT + _MAX_IMPORTS + MAX_VALUES
_MAX_PLACE: Final = 10**7
_KEYS: Final = frozenset({"digest", "findings", "imports", "outline"})


@dataclass(frozen=True, slots=True)
class Inspection:
    """``findings`` in order of the source; ``imports`` are the modules named by import statements, sorted.

    ``code_digest`` is the hex SHA-256 of the code that was looked at, as UTF-8. ``finished`` is False when the scan
    broke off: then the one finding denies, and nothing else is known about the code. ``outline``: see outline.py.
    """

    code_digest: str
    findings: tuple[Finding, ...]
    imports: tuple[str, ...]
    finished: bool = True
    outline: Outline = field(default_factory=Outline)


class Malformed(ValueError):  # noqa: N818 - it says what is wrong with the bytes, which is no error of ours
    """What should have been an inspection is none."""


def as_bytes(code: str) -> bytes:
    """The text as it is hashed and handed to the child. Lone surrogates, which no valid skill has, stay what they
    are."""
    return code.encode("utf-8", "surrogatepass")


def digest_of(code: str) -> str:
    """Hex SHA-256 of ``code`` as UTF-8."""
    return hashlib.sha256(as_bytes(code)).hexdigest()


def encode(inspection: Inspection) -> bytes:
    """One line of ASCII JSON."""
    findings = [
        [finding.rule, finding.subject, finding.message, finding.fix, finding.line, finding.column]
        for finding in inspection.findings
    ]
    document: dict[str, Any] = {"digest": inspection.code_digest, "findings": findings, "imports": inspection.imports}
    document["outline"] = inspection.outline.to_json()
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def decode(raw: bytes, digest: str) -> Inspection:
    """The inspection of the code with that ``digest``. Raises ``Malformed`` for anything but what ``encode`` makes."""
    try:
        document = strictjson.loads(
            raw, max_bytes=MAX_ENCODED_BYTES, max_depth=7, max_nodes=_MAX_NODES, what="the inspection"
        )
    except strictjson.StrictJSONError as error:
        raise Malformed(str(error)) from None
    if not isinstance(document, dict) or document.keys() != _KEYS:
        raise Malformed("not an object of digest, findings, imports and outline")
    if document["digest"] != digest:
        raise Malformed("about other code")
    findings = tuple(_finding(item) for item in _array(document["findings"], _MAX_KEPT))
    imports = tuple(_text(item, _MAX_IMPORT) for item in _array(document["imports"], _MAX_IMPORTS))
    try:
        outlined = Outline.from_json(document["outline"])
    except ValueError as error:
        raise Malformed(f"no outline: {error}") from None
    return Inspection(digest, findings, imports, outline=outlined)


def _array(value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise Malformed(f"not an array of at most {most} items")
    return value


def _finding(value: Any) -> Finding:
    if len(_array(value, 6)) != 6:
        raise Malformed("a finding without its six parts")
    rule, subject, message, fix, line, column = value
    known = RULES.get(rule) if isinstance(rule, str) else None
    if known is None:
        raise Malformed("a finding of an unknown rule")
    return Finding(
        known.id, _text(subject), _text(message), _text(fix), known.severity, line=_place(line), column=_place(column)
    )


def _text(value: Any, most: int = _MAX_TEXT) -> str:
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise Malformed("not a short printable text")
    return value


def _place(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_PLACE:
        raise Malformed("not a line or column")
    return value
