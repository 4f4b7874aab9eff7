"""From a skill's text to its syntax tree, or to the findings that say why there is none.

The text is the ``str`` that is hashed and run; nothing here decodes bytes, so no coding cookie is obeyed. Every way in
which parsing can fail - syntax, recursion, memory - is a finding: the caller never sees an exception.
"""

from __future__ import annotations

import ast
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from orchestrator.validation.characters import suspect_characters
from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import make_finding

MAX_SOURCE_CHARS = 256 * 1024  # some 6000 lines: far above any skill seen
MAX_DEPTH = 400  # of the tree. CPython's own recursion limits start at about 1000 levels
MAX_NODES = 100_000  # of the tree; the worst program within these limits takes a few seconds to examine

PYTHON = f"Python {sys.version_info.major}.{sys.version_info.minor}"  # of this process: it parses

# `warnings` keeps its filters in a global: one parse at a time swaps them.
_parse_lock = threading.Lock()


@contextmanager
def quietly() -> Iterator[None]:
    """What Python warns about a skill's text (a doubtful escape, say) is not the host's warning."""
    with _parse_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


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
    characters = tuple(suspect_characters(code))
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
        with quietly():
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return None if _too_big(tree) else tree.body


def _parse(code: str, filename: str) -> tuple[ast.Module | None, tuple[Finding, ...]]:
    try:
        with quietly():
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
        with quietly():
            compile(tree, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        return (_syntax_finding(error),)
    except (RecursionError, MemoryError):
        return (make_finding("ORC003", "source", "the source is nested too deeply to be compiled"),)
    except ValueError as error:
        return (make_finding("ORC001", "source", f"the source cannot be compiled: {error}"),)
    return ()


def _syntax_finding(error: SyntaxError) -> Finding:
    """The finding names the Python that parsed: the sandbox's may be newer, but what was not examined does not run."""
    line, column = error.lineno or 0, error.offset or 0
    message = f"{PYTHON}, which examines the code, cannot parse it: {error.msg}"
    fix = f"correct it; syntax newer than {PYTHON} is refused, whatever the sandbox's Python understands"
    return make_finding("ORC001", "source", message, line=line, column=max(column, 0), fix=fix)


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
