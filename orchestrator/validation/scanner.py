"""``inspect(skill)``: the facts about a skill's code. Which of them a level allows is the policy's business.

Theory of operation. source.py turns the text into a tree, or into findings that deny. scopes.py walks the tree once and
answers what names stand for. checks.py looks at each node by its class. Here the findings are gathered, repeated ones
are dropped after a few, and the result is kept by the digest of the code: a second run of a skill costs one hash.
Nothing is imported, executed or evaluated. Nothing here recurses, and what can fail on hostile input is a finding:
whoever calls gets an ``Inspection``, never an exception.
"""

from __future__ import annotations

import ast
import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from orchestrator.manifest.model import SkillManifest
from orchestrator.validation import source
from orchestrator.validation.checks import check
from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import RULES, make_finding
from orchestrator.validation.scopes import Entangled, Program

_REPEATS = 20  # findings kept per rule and subject; for facts, which are many and alike:
_FACT_REPEATS = 3
_MAX_FINDINGS = 5000
_CACHED = 512  # inspections


@dataclass(frozen=True, slots=True)
class Inspection:
    """``findings`` in order of the source; ``imports`` are the modules named by import statements, sorted.

    ``code_digest`` is the hex SHA-256 of the code that was looked at, as UTF-8.
    """

    code_digest: str
    findings: tuple[Finding, ...]
    imports: tuple[str, ...]


class _Cache:
    """The last inspections, by code digest. Thread-safe."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Inspection] = OrderedDict()

    def get(self, digest: str) -> Inspection | None:
        with self._lock:
            found = self._kept.get(digest)
            if found is not None:
                self._kept.move_to_end(digest)
            return found

    def put(self, inspection: Inspection) -> None:
        with self._lock:
            self._kept[inspection.code_digest] = inspection
            self._kept.move_to_end(inspection.code_digest)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


_cache = _Cache(_CACHED)


def digest_of(code: str) -> str:
    """Hex SHA-256 of ``code`` as UTF-8; lone surrogates, which no valid skill has, are hashed as they are."""
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def inspect(skill: SkillManifest) -> Inspection:
    """The facts about ``skill.code``. Total: any text gets an answer."""
    digest = digest_of(skill.code)
    found = _cache.get(digest)
    if found is None:
        found = _inspect(skill.code, digest)
        _cache.put(found)
    return found


def _inspect(code: str, digest: str) -> Inspection:
    read = source.read(code)
    findings = list(read.findings)
    imports: set[str] = set()
    if read.tree is not None:
        try:
            program = Program(read.tree)
            found = (finding for visit in program.visits for finding in check(visit, program))
            findings += _with_character_columns(_distinct(found), code)
            imports = set(_imports(program))
        except Entangled as error:
            findings.append(make_finding("ORC004", "source", f"the program {error}"))
        except (RecursionError, MemoryError):
            findings.append(make_finding("ORC003", "source", "the program is too deeply nested to be examined"))
    return Inspection(digest, tuple(findings), tuple(sorted(imports)))


def _distinct(found: Iterable[Finding]) -> Iterator[Finding]:
    """The first few of each rule and subject, and a denial instead of a report that had to be cut off."""
    counts: Counter[tuple[str, str]] = Counter()
    kept = 0
    for finding in found:
        key = (finding.rule, finding.subject)
        counts[key] += 1
        if counts[key] > (_FACT_REPEATS if RULES[finding.rule].is_fact else _REPEATS):
            continue
        kept += 1
        if kept > _MAX_FINDINGS:
            yield make_finding("ORC004", "source", f"there are more than {_MAX_FINDINGS} different findings")
            return
        yield finding


def _imports(program: Program) -> Iterator[str]:
    for visit in program.visits:
        if isinstance(visit.node, ast.Import):
            yield from (alias.name for alias in visit.node.names)
        elif isinstance(visit.node, ast.ImportFrom) and visit.node.module not in (None, "__future__"):
            yield str(visit.node.module)


def _with_character_columns(findings: Iterable[Finding], code: str) -> Iterator[Finding]:
    """``ast`` counts columns in bytes of UTF-8; people and editors count characters."""
    lines = code.split("\n")
    for finding in findings:
        line = lines[finding.line - 1] if 0 < finding.line <= len(lines) else ""
        if line.isascii():
            yield finding
        else:
            before = line.encode("utf-8", "surrogatepass")[: max(finding.column - 1, 0)]
            yield replace(finding, column=len(before.decode("utf-8", "ignore")) + 1)
