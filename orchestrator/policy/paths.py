"""Patterns of paths that no skill may touch, and the plain form of vault paths they are matched in.

A pattern is matched at any depth, against whole components: ``.git`` forbids every file or directory of that name and
everything beneath it; ``.obsidian/plugins`` the two components in a row; ``*``, ``?`` and ``[...]`` stand for parts of
one component. Case, Unicode composition, invisible characters and the trailing dots and spaces that some file systems
drop make no difference (the git CVE-2014-9390 class).
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache


def plain_form(component: str) -> str:
    """``component`` as the least particular file system would see it."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", component) if unicodedata.category(c) != "Cf")
    folded = unicodedata.normalize("NFKC", visible.casefold())
    return folded.rstrip(" .") or folded


def forbidden_by(path: str, patterns: Iterable[str]) -> str | None:
    """The first of ``patterns`` that forbids ``path`` (POSIX, relative to the vault), or None."""
    components = [plain_form(component) for component in path.split("/") if component not in ("", ".")]
    return next((pattern for pattern in patterns if _matches(components, pattern)), None)


def path_problem(path: str) -> str | None:
    """Why ``path`` is no plain relative POSIX path ("." is one), or None."""
    if not path or path.startswith("/"):
        return "it is empty or absolute"
    if "\\" in path or any(not c.isprintable() for c in path):
        return "it has a backslash or a character that cannot be shown"
    if path != "." and any(component in ("", ".", "..") for component in path.split("/")):
        return "it has an empty, '.' or '..' component"
    return None


def is_within(path: str, roots: Iterable[str]) -> bool:
    """Whether the plain relative ``path`` is one of ``roots`` or beneath one ("." is the whole vault)."""
    return any(root in (".", path) or path.startswith(root + "/") for root in roots)


def _matches(components: list[str], pattern: str) -> bool:
    wanted = _compiled(pattern)
    starts = range(len(components) - len(wanted) + 1)
    return any(all(w.match(c) for w, c in zip(wanted, components[start:], strict=False)) for start in starts)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> tuple[re.Pattern[str], ...]:
    parts = [part for part in pattern.casefold().split("/") if part not in ("", "**")]
    return tuple(re.compile(fnmatch.translate(part)) for part in parts)
