"""File names that nobody trusts: showing, comparing and judging one path component. Pure; no I/O."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from orchestrator.text import one_line

SHOWN_CHARACTERS = 240  # longer paths are shown cut

# Default_Ignorable_Code_Point of Unicode 15 (DerivedCoreProperties.txt): invisible, and some file systems drop them.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Cc, Zl, Zp, surrogates, and the marks that make a reader see another order (UAX #9): "gpj.exe" shown as "exe.jpg".
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# What other systems, or a careless reader, take for "/": a sync client on another system must not see a path here.
_SEPARATORS = re.compile("[\\\\\u2044\u2215\u29f8\u29f9\ufe68\uff0f\uff3c]")
_SHORT_NAME = re.compile(r"(?P<stem>[^~]{1,6})~\d{1,6}(?:\.(?P<extension>.{0,3}))?")


def shown(path: str) -> str:
    """``path`` fit for a terminal or a log: one line, escaped, cut when long."""
    return one_line(path, SHOWN_CHARACTERS)


def unsafe(name: str) -> bool:
    """Whether a new entry may not have this name (VLT106)."""
    if name.isascii():
        return not name.isprintable() or "\\" in name
    if _UNSAFE.search(name) or _SEPARATORS.search(name):
        return True
    return unicodedata.normalize("NFKC", name) in {".", ".."}


def sibling_key(name: str) -> str:
    """Equal for two names that some file system (case-insensitive, normalising, dropping) stores as one."""
    if name.isascii():
        return name.casefold().rstrip(" .")
    return _folded(name, "NFC")


def protected_key(name: str) -> str:
    """Like ``sibling_key`` and coarser: compatibility forms are one (full-width ``．ｇｉｔ`` is ``.git``), and an NTFS
    stream (``.git::$INDEX_ALLOCATION``) is its file. For matching forbidden patterns."""
    folded = name.casefold().rstrip(" .") if name.isascii() else _folded(name, "NFKC")
    return folded.partition(":")[0].rstrip(" .") or folded


def _folded(name: str, form: Literal["NFC", "NFKC"]) -> str:
    visible = _IGNORABLE.sub("", unicodedata.normalize(form, name))
    return unicodedata.normalize(form, visible.casefold()).rstrip(" .")


def may_be_short_for(name: str, literal: str) -> bool:
    """Whether ``name`` could be the 8.3 name under which Windows also opens ``literal`` (``GIT~1`` for ``.git``).

    Both come folded by ``protected_key``. Generous: the number is not checked, so that it errs towards refusing.
    """
    match = _SHORT_NAME.fullmatch(name)
    if match is None:
        return False
    stem, _, extension = literal.lstrip(".").replace(" ", "").rpartition(".")
    stem, extension = (stem, extension) if stem else (extension, "")
    return match["stem"] == stem.replace(".", "")[:6] and (match["extension"] or "") == extension[:3]
