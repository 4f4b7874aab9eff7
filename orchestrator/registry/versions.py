"""Which version of a skill is meant: "name", "name@1", "name@1.2", "name@1.2.3". Pure.

Versions are ordered as Semantic Versioning 2.0.0 (section 11) says. Build metadata does not count there; two versions
that differ in nothing else are ordered by it as text, so that the newest is always the same one.

* "name" is the newest version, "name@1.2" the newest 1.2.x. Pre-releases are never meant by these.
* A version with all three numbers is exactly that one, pre-release and build included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering
from typing import Final

MAX_REFERENCE_CHARACTERS: Final = 64 + 1 + 64  # a name, "@", a version: as the manifest's schema bounds them

_NUMBER: Final = r"(?:0|[1-9][0-9]{0,8})"
_WORDS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION: Final = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_WORDS}))?(?:\+({_WORDS}))?")
_REFERENCE: Final = re.compile(
    rf"({_NAME})(?:@({_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(?:-{_WORDS})?(?:\+{_WORDS})?)?)?))?"
)


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """``text`` is how it was written; the other fields are what it is ordered by."""

    text: str
    numbers: tuple[int, int, int]
    pre: tuple[str, ...] = ()
    build: str = ""

    @property
    def is_prerelease(self) -> bool:
        return bool(self.pre)

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[object, ...]:
        # A release is newer than its pre-releases, words than numbers, and the longer of two that begin alike.
        words = tuple((0, int(word), "") if word.isdigit() else (1, 0, word) for word in self.pre)
        return self.numbers, not self.pre, words, self.build, self.text


def parse_version(text: str) -> Version:
    """``ValueError`` if it is no semantic version. Digits in a pre-release may begin with 0, as in the manifest."""
    found = _VERSION.fullmatch(text) if len(text) <= MAX_REFERENCE_CHARACTERS else None
    if found is None:
        raise ValueError(f"no semantic version: {text[:80]!r}")
    major, minor, patch, pre, build = found.groups()
    return Version(text, (int(major), int(minor), int(patch)), tuple(pre.split(".")) if pre else (), build or "")


@dataclass(frozen=True, slots=True)
class Reference:
    """``version`` is "" (the newest), one or two numbers (the newest that begins with them), or a whole version."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name

    @property
    def is_exact(self) -> bool:
        return self.version.count(".") >= 2

    def covers(self, version: Version) -> bool:
        if self.is_exact:
            return version.text == self.version
        wanted = tuple(int(number) for number in self.version.split(".")) if self.version else ()
        return not version.is_prerelease and version.numbers[: len(wanted)] == wanted


def parse_reference(text: str) -> Reference | None:
    """None if ``text`` is not of that form (a path with a slash, say)."""
    found = _REFERENCE.fullmatch(text) if len(text) <= MAX_REFERENCE_CHARACTERS else None
    return None if found is None else Reference(found[1], found[2] or "")


def newest(reference: Reference, versions: Iterable[Version]) -> Version | None:
    """The one of ``versions`` that is meant; None: none of them is."""
    return max((version for version in versions if reference.covers(version)), default=None)
