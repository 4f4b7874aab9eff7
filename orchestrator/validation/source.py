"""From a skill's text to its syntax tree, or to the findings that say why there is none.

The text is the ``str`` that is hashed and run; nothing here decodes bytes, so no coding cookie is obeyed. Every way in
which parsing can fail - syntax, recursion, memory - is a finding: the caller never sees an exception.
"""

from __future__ import annotations

import ast
import re
import threading
import unicodedata
import warnings
from dataclasses import dataclass

from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import make_finding

MAX_SOURCE_CHARS = 256 * 1024  # some 6000 lines: far above any skill seen
MAX_DEPTH = 400  # of the tree. CPython's own recursion limits start at about 1000 levels
MAX_NODES = 100_000  # of the tree; the worst program within these limits takes a few seconds to examine

_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# C0 controls but for tab, LF, form feed and the CR of a CRLF; DEL, C1 and the line ends that only editors know.
_SUSPECT = re.compile(f"(?P<bidi>[{_BIDI}])|(?P<control>[\x01-\x08\x0b\x0e-\x1f\x7f-\x9f\u2028\u2029]|\r(?!\n))")
_MAX_CHARACTER_FINDINGS = 20

# `warnings` keeps its filters in a global: one parse at a time swaps them.
_parse_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Source:
    """``tree`` is None when a mandatory finding says that the text cannot be examined."""

    tree: ast.Module | None
    findings: tuple[Finding, ...]


def read(code: str, filename: str = "skill.py") -> Source:
    """Parse ``code`` within the limits of this module."""
    if len(code) > MAX_SOURCE_CHARS:
        message = f"the source has {len(code)} characters; {MAX_SOURCE_CHARS} are the limit"
        return Source(None, (make_finding("ORC002", "source", message),))
    characters = tuple(_suspect_characters(code))
    tree, problem = _parse(code, filename)
    if tree is None:
        return Source(None, (*characters, *problem))
    problem = _too_big(tree) or _compiles(tree, filename)
    return Source(None if problem else tree, (*characters, *problem))


def parse_expression(text: str) -> ast.expr | None:
    """The tree of a string annotation, or None when it is no expression (or too deep to be one)."""
    if len(text) > 10_000:
        return None
    try:
        with _parse_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return None if _too_big(tree) else tree.body


def _suspect_characters(code: str) -> list[Finding]:
    findings: list[Finding] = []
    for match in _SUSPECT.finditer(code):
        if len(findings) == _MAX_CHARACTER_FINDINGS:
            break
        character = match.group()
        line = code.count("\n", 0, match.start()) + 1
        column = match.start() - code.rfind("\n", 0, match.start())
        rule = "ORC006" if match.lastgroup == "bidi" else "ORC007"
        name = unicodedata.name(character, "control character")
        message = f"U+{ord(character):04X} ({name}) stands in the source"
        findings.append(make_finding(rule, f"U+{ord(character):04X}", message, line=line, column=column))
    return findings


def _parse(code: str, filename: str) -> tuple[ast.Module | None, tuple[Finding, ...]]:
    try:
        with _parse_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a doubtful escape in a skill is not the host's warning
            return ast.parse(code, filename), ()
    except SyntaxError as error:
        return None, (_syntax_finding(error),)
    except (RecursionError, MemoryError):
        return None, (make_finding("ORC003", "source", "the source is nested too deeply to be parsed"),)
    except ValueError as error:  # NUL bytes (before 3.12), lone surrogates
        return None, (make_finding("ORC001", "source", f"the source cannot be parsed: {error}"),)


def _compiles(tree: ast.Module, filename: str) -> tuple[Finding, ...]:
    """Errors that only the compiler sees, such as ``return`` outside a function."""
    try:
        with _parse_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(tree, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        return (_syntax_finding(error),)
    except (RecursionError, MemoryError):
        return (make_finding("ORC003", "source", "the source is nested too deeply to be compiled"),)
    except ValueError as error:
        return (make_finding("ORC001", "source", f"the source cannot be compiled: {error}"),)
    return ()


def _syntax_finding(error: SyntaxError) -> Finding:
    line, column = error.lineno or 0, error.offset or 0
    return make_finding("ORC001", "source", f"invalid syntax: {error.msg}", line=line, column=max(column, 0))


def _too_big(tree: ast.AST) -> tuple[Finding, ...]:
    """Depth and size, measured level by level: no recursion, and no more memory than one level."""
    level: list[ast.AST] = [tree]
    depth = nodes = 0
    while level:
        depth += 1
        nodes += len(level)
        if depth > MAX_DEPTH:
            line = getattr(level[0], "lineno", 0)
            message = f"the program is nested more than {MAX_DEPTH} levels deep"
            return (make_finding("ORC003", "source", message, line=line, column=1 if line else 0),)
        if nodes > MAX_NODES:
            return (make_finding("ORC002", "source", f"the program has more than {MAX_NODES} syntax nodes"),)
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return ()
