"""Which Python a piece of syntax came with: a program is run by the sandbox's Python, not by the one that examines it.

From the "What's new" pages of CPython 3.12 to 3.14. What a later Python spells differently without another tree (nested
quotes in f-strings, PEP 701, 3.12) is not told apart: the sandbox then refuses it as it starts, with a SyntaxError.
"""

from __future__ import annotations

import ast
from types import MappingProxyType

Version = tuple[int, int]

OLDEST: Version = (3, 11)  # whatever is not listed is as old as this at least

_NODES: MappingProxyType[str, Version] = MappingProxyType(
    {
        "TypeAlias": (3, 12),
        "TypeVar": (3, 12),
        "ParamSpec": (3, 12),
        "TypeVarTuple": (3, 12),
        "TemplateStr": (3, 14),
        "Interpolation": (3, 14),
    }
)
# Kinds of nodes that ``since`` has to look at.
NEWER = frozenset(_NODES) | {"ExceptHandler"}


def since(node: ast.AST) -> Version:
    """The Python that ``node`` came with; ``OLDEST`` for everything that is older than the oldest supported one."""
    kind = type(node).__name__
    if kind in ("TypeVar", "ParamSpec", "TypeVarTuple") and getattr(node, "default_value", None) is not None:
        return (3, 13)
    if kind == "ExceptHandler" and _lists_without_parentheses(getattr(node, "type", None)):
        return (3, 14)
    return _NODES.get(kind, OLDEST)


def _lists_without_parentheses(caught: ast.expr | None) -> bool:
    """``except A, B:`` - a tuple that starts where its first element starts."""
    if not isinstance(caught, ast.Tuple) or not caught.elts:
        return False
    first = caught.elts[0]
    return (caught.lineno, caught.col_offset) == (first.lineno, first.col_offset)
