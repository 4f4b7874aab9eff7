"""Characters that make a source read differently from how it runs: bidi controls, invisible ones, look-alike letters.

Sources: CVE-2021-42574 (bidi), CVE-2021-42694 (homoglyphs), UTS 39 (confusables, mixed scripts), UAX 31 (default
ignorable characters). A small vetted part of them: text in any script stays free in strings, comments and whole
identifiers; emoji with their joiners and variation selectors stay free in strings and comments.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import make_finding

_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# Invisible wherever they stand: zero-width space, word joiner and its kin, BOM, fillers, grapheme joiner.
_INVISIBLE = "\u200b\u2060-\u2064\ufeff\u180e\u034f\u115f\u1160\u3164\uffa0\ufff9-\ufffb"
# Part of emoji and of some scripts: joiners, variation selectors, tags. Alone or in rows they hide data.
_JOINING = "\u200c\u200d\ufe00-\ufe0f\U000e0000-\U000e007f\U000e0100-\U000e01ef"
# C0 controls but for tab, LF, form feed and the CR of a CRLF; DEL, C1 and the line ends that only editors know.
_SUSPECT = re.compile(
    f"(?P<ORC006>[{_BIDI}])|(?P<ORC007>[\x01-\x08\x0b\x0e-\x1f\x7f-\x9f\u2028\u2029]|\r(?!\n))"
    f"|(?P<ORC011>[{_INVISIBLE}]|[{_JOINING}]+)"
)
_ASCII_SUSPECT = re.compile("[\x01-\x08\x0b\x0e-\x1f\x7f]|\r(?!\n)")
_MAX_FINDINGS = 20

_EMOJI_SELECTORS = "\ufe0e\ufe0f"
_JOINERS = "\u200c\u200d"
_BLACK_FLAG = "\U0001f3f4"  # begins the flags that are written with tags
_KEYCAPS = "0123456789#*"

# Letters that look like Latin ones: all of Cyrillic that do (UTS 39), Greek without the letters of formulas.
_LOOK_ALIKES = str.maketrans(
    "аеорсхуіјѕһԁԛԝɡкмнтвАВЕКМНОРСТХУІЈЅѵονικυρΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcxyijshdqwgkmhtbABEKMHOPCTXYIJSvovikupABEZHIKMNOPTYX",
)
_CYRILLIC = re.compile("[\u0400-\u052f]")
_LATIN = re.compile("[A-Za-z]")
_PARTS = re.compile(r"[^\W_]+")


def suspect_characters(code: str) -> list[Finding]:
    """Findings about the text as it stands: rules ORC006, ORC007 and ORC011. The first few."""
    findings: list[Finding] = []
    if code.isascii() and not _ASCII_SUSPECT.search(code):
        return findings
    for match in _SUSPECT.finditer(code):
        if len(findings) == _MAX_FINDINGS:
            break
        rule = match.lastgroup or ""
        if rule == "ORC011" and _is_ordinary(code, match.start(), match.group()):
            continue
        character = match.group()[0]
        line = code.count("\n", 0, match.start()) + 1
        column = match.start() - code.rfind("\n", 0, match.start())
        name = unicodedata.name(character, "control character")
        message = f"U+{ord(character):04X} ({name}) stands in the source"
        findings.append(make_finding(rule, f"U+{ord(character):04X}", message, line=line, column=column))
    return findings


def _is_ordinary(code: str, start: int, run: str) -> bool:
    """Joiners and selectors as emoji and scripts use them; the byte-order mark at the very start."""
    before = code[start - 1] if start else ""
    after = code[start + len(run)] if start + len(run) < len(code) else ""
    if run == "\ufeff":
        return start == 0
    if run[0] in _EMOJI_SELECTORS and (run[1:] == "" or run[1:] == "\u200d"):
        return before in _KEYCAPS if before.isascii() else not before.isalpha()
    if run in _JOINERS:
        return not before.isascii() and not after.isascii()
    return before == _BLACK_FLAG and run[-1] == "\U000e007f" and len(run) <= 7


def disguise_of(name: str) -> str:
    """What an identifier pretends to be: a word that mixes Latin with look-alikes of it, spelled in Latin; or ""."""
    if name.isascii():
        return ""
    mixed = any(_is_mixed(part) for part in _PARTS.findall(name))
    return name.translate(_LOOK_ALIKES) if mixed else ""


def _is_mixed(part: str) -> bool:
    if not _LATIN.search(part):
        return False
    only_look_alikes = not part.isascii() and part.translate(_LOOK_ALIKES).isascii()
    return only_look_alikes or _CYRILLIC.search(part) is not None


def skeleton(name: str) -> str:
    """``name`` with look-alikes replaced, if it then is plain ASCII; else ""."""
    plain = name.translate(_LOOK_ALIKES)
    return plain if plain.isascii() and plain != name else ""


def invisible_in_name(name: str) -> Iterator[str]:
    """Characters of an identifier that nobody sees: Python allows variation selectors and some fillers there."""
    if not name.isascii():
        yield from (character for character in name if re.match(f"[{_INVISIBLE}{_JOINING}]", character))
