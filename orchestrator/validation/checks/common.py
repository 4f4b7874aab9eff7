"""What every check shares: its type, and how a finding gets its place."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import make_finding
from orchestrator.validation.scopes import Program, Visit

Check = Callable[[Visit, Program], Iterator[Finding]]


def found(rule: str, subject: str, message: str, at: ast.AST, fix: str | None = None) -> Finding:
    """A finding of ``rule`` at the node ``at``; ``fix`` defaults to the rule's."""
    line, column = getattr(at, "lineno", 0), getattr(at, "col_offset", -1) + 1
    return make_finding(rule, subject, message, line=line, column=column, fix=fix)


def literal(expression: ast.AST | None) -> str | None:
    """The text of a string literal, or None."""
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        return expression.value
    return None
