"""``examine(code)``: the facts about a text, found in this very process. scan_child.py calls it; nobody else should.

Theory of operation. source.py turns the text into a tree, or into findings that deny. scopes.py walks the tree once and
answers what names stand for. checks/ looks at each node by its class. Here the findings are gathered and repeated
ones are dropped after a few. Nothing is imported, executed or evaluated. Nothing here recurses, and what is known to
fail on hostile input is a finding; what is not known ends the process, and scanner.py makes a denial of that.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from orchestrator.validation import source
from orchestrator.validation.checks import check
from orchestrator.validation.finding import Finding
from orchestrator.validation.inspection import MAX_FINDINGS, Inspection, digest_of
from orchestrator.validation.outline import Outline, outline
from orchestrator.validation.rules import RULES, make_finding
from orchestrator.validation.scopes import Entangled, Program

_REPEATS = 20  # findings kept per rule and subject; for facts, which are many and alike:
_FACT_REPEATS = 3


def examine(code: str) -> Inspection:
    """The facts about ``code``."""
    read = source.read(code)
    findings = list(read.findings)
    imports: set[str] = set()
    outlined = Outline()
    if read.tree is not None:
        try:
            program = Program(read.tree)
            found = (finding for visit in program.visits for finding in check(visit, program))
            findings += _with_character_columns(_distinct(found), code)
            imports = set(_imports(program))
            outlined = outline(program)
        except Entangled as error:
            findings.append(make_finding("ORC004", "source", f"the program {error}"))
        except (RecursionError, MemoryError):
            findings.append(make_finding("ORC003", "source", "the program is too deeply nested to be examined"))
    return Inspection(digest_of(code), tuple(findings), tuple(sorted(imports)), outline=outlined)


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
        if kept > MAX_FINDINGS:
            yield make_finding("ORC004", "source", f"there are more than {MAX_FINDINGS} different findings")
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
