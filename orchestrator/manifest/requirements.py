"""What a dependency may be: a name and versions (PEP 508). Everything by which pip would fetch from elsewhere is told
apart, so that whoever wrote it learns what to write instead. Nothing is ever installed for a run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from packaging.requirements import InvalidRequirement, Requirement

MAX_CHARACTERS: Final = 500

FaultKind = Literal["option", "vcs", "url", "path", "marker", "extras", "syntax"]

_VCS: Final = re.compile(r"(?:.{0,200}@\s*)?(?:git|hg|svn|bzr)\+", re.IGNORECASE)
_URL: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{0,30}:|.{0,200}@\s*[A-Za-z][A-Za-z0-9+.-]{0,30}:)", re.IGNORECASE)
_PATH: Final = re.compile(r"[./~\\]|[A-Za-z]:[\\/]|[^\s<>=!~;@\[]{0,200}[/\\]")
_FILE: Final = re.compile(r"\.(?:whl|zip|tar\.gz|egg)$", re.IGNORECASE)

_ONLY: Final = "the image holds what it holds, nothing is fetched or installed for a run"
_SAID: Final[dict[FaultKind, str]] = {
    "option": f"is an option of pip (an index, an editable or a file of requirements): {_ONLY}",
    "vcs": f"names a version control system: {_ONLY}",
    "url": f"names a URL: {_ONLY}",
    "path": f"is a path or a file: {_ONLY}",
    "marker": "has an environment marker: the sandbox is one environment",
    "extras": "has extras: list the distributions that they stand for",
    "syntax": "is not a PEP 508 requirement",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """``message`` completes "the dependency ..."."""

    kind: FaultKind
    message: str


def requirement_of(text: str) -> Requirement | Fault:
    """``text`` parsed, or what is wrong with it. A requirement that is returned has no URL, marker or extras."""
    kind: FaultKind | None = None
    stripped = text.strip()
    if len(text) > MAX_CHARACTERS:
        return Fault("syntax", f"is longer than {MAX_CHARACTERS} characters")
    try:
        found = Requirement(text)
    except InvalidRequirement:
        return _fault(_unparsed(stripped))
    if found.url:
        kind = "vcs" if _VCS.match(stripped) else "url"
    elif _FILE.search(found.name):
        kind = "path"
    elif found.marker:
        kind = "marker"
    elif found.extras:
        kind = "extras"
    return found if kind is None else _fault(kind)


def _unparsed(text: str) -> FaultKind:
    if text.startswith("-"):
        return "option"
    if _VCS.match(text):
        return "vcs"
    if (_PATH.match(text) or _FILE.search(text)) and "://" not in text:
        return "path"
    return "url" if _URL.match(text) else "syntax"


def _fault(kind: FaultKind) -> Fault:
    return Fault(kind, _SAID[kind])
