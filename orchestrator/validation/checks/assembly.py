"""Obfuscation: names put together from parts, blobs, and a score over the whole program.

Every place that could use a hidden name is found by other rules; these say that something is being hidden at all. The
thresholds were set on the corpora of tests/corpus: far above the highest honest program, below the mildest hostile one.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, cast

from orchestrator.validation import names, traits
from orchestrator.validation.checks.common import found
from orchestrator.validation.finding import Finding
from orchestrator.validation.scopes import Program, Visit

BLOB_CHARS: Final = 1_000  # of one constant without white space
# Shannon entropy in bits per character of such a constant: prose without blanks and digits stay below 4.3, base64 of
# compressed or encrypted data is at 5.9 or more. (Hexadecimal, at most 4, is told by its alphabet.)
BLOB_BITS: Final = 5.2
HEX_BLOB_CHARS: Final = 2_000
LINE_CHARS: Final = 10_000  # of one line of a constant of whatever kind
SCORE: Final = 12  # honest programs of the corpus: at most 6
_HEX = re.compile(r"[0-9a-fA-F]+\Z")
_CODE = re.compile(
    r"__(?:import|builtins|globals|subclasses|class|base|bases|mro|code|getattribute)__"
    r"|\b(?:eval|exec|compile|__import__)\s*\("
    r"|\bimport\s+(?:os|sys|subprocess|socket|ctypes|pickle|importlib|builtins)\b"
    r"|\b(?:os\.(?:system|popen|environ|exec\w+)|subprocess\.\w+)"
)
_GIBBERISH = re.compile(r"_0x[0-9a-f]{3,}\Z|[Il1]{5,}\Z|[O0]{5,}\Z|[oO0]{6,}\Z|_{3,}\Z|[lI]{4,}\Z")


def check_assemblies(visit: Visit, program: Program) -> Iterator[Finding]:
    """Names and code that no single constant of the program spells."""
    for made in traits.of(program).assemblies:
        word = _hidden_word(made)
        if word:
            yield found("ORC501", word, f"puts {word!r} together from parts", made.parts[0])
    yield from _score(program)


def _hidden_word(made: traits.Assembly) -> str:
    """What the assembled text spells and its parts do not, or ""."""
    constants = made.constants
    if made.text in names.ASSEMBLED_WORDS:
        return "" if made.text in constants else made.text
    match = _CODE.search(made.text)
    if match is None or any(match.group() in text for text in constants):
        return ""
    return match.group()


def check_constant(visit: Visit, program: Program) -> Iterator[Finding]:
    """Blobs: what a constant of that size and density holds cannot be reviewed."""
    value = cast(ast.Constant, visit.node).value
    if not isinstance(value, str | bytes) or len(value) < BLOB_CHARS:
        return
    text = value if isinstance(value, str) else value.decode("latin-1")
    longest = max(map(len, text.split("\n")))
    if longest > LINE_CHARS:
        yield found("ORC502", "size", f"a constant with a line of {longest} characters", visit.node)
    elif _is_dense(text):
        yield found("ORC502", "density", f"a dense constant of {len(text)} characters", visit.node)


def _is_dense(text: str) -> bool:
    if any(character in text for character in " \t\n"):
        return False
    return _entropy(text) > BLOB_BITS or (len(text) > HEX_BLOB_CHARS and _HEX.match(text) is not None)


def _entropy(text: str) -> float:
    """Bits per character."""
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values())


def _score(program: Program) -> Iterator[Finding]:
    points: Counter[str] = Counter()
    whole = traits.of(program)
    for made in whole.assemblies:
        if made.obscured:
            points["text made by chr, decoders, reversal or exclusive or"] += 3
    points["names that cannot be read"] = 2 * sum(1 for name in whole.identifiers if _GIBBERISH.match(name))
    points["constants written in escapes only"] = sum(1 for text in whole.constants if _is_binary(text))
    if points.total() >= SCORE:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in points.most_common() if count)
        yield found("ORC503", "score", f"scores {points.total()} points, {SCORE} are too many: {reasons}", _TOP)


_TOP = ast.Module([], [])


def _is_binary(text: str) -> bool:
    odd = sum(1 for character in text if not character.isprintable() and character not in "\n\t\r")
    return len(text) > 15 and odd > len(text) // 3
