"""What of a path stands in the code: ``Path("/vault") / "Inbox" / name`` begins with ``/vault/Inbox/``.

Follows names that are bound once, string literals, f-strings, ``+``, ``Path(...)``, ``os.path.join`` and ``/``. The
answer is what the path begins with; it is None where not even that can be told. Bounded: at most ``_STEPS`` expressions
are looked at for one answer, however the names refer to each other.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Final

from orchestrator.validation.scopes import Program, Scope

_STEPS: Final = 100
_CHARACTERS: Final = 400
_PATHS: Final = frozenset({"pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath", "pathlib.PurePosixPath"})
_JOINS: Final = frozenset({"os.path.join", "posixpath.join"})
_THE_SAME: Final = frozenset({"resolve", "absolute", "expanduser", "as_posix"})
_SIBLINGS: Final = frozenset({"with_name", "with_suffix", "with_stem"})


@dataclass(frozen=True, slots=True)
class Known:
    """``text`` is how the path begins, ``whole`` that it ends there; ``is_path``: a ``pathlib`` object, no text."""

    text: str
    whole: bool = True
    is_path: bool = False


def known_path(expression: ast.expr, scope: Scope, program: Program) -> Known | None:
    """What is known of the path or text that ``expression`` is."""
    return _Search(program).known(expression, scope)


class _Search:
    """One answer being found."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._left = _STEPS

    def known(self, node: ast.expr, scope: Scope) -> Known | None:
        self._left -= 1
        if self._left < 0:
            return None
        answer: Known | None = None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            answer = Known(node.value[:_CHARACTERS], len(node.value) <= _CHARACTERS)
        elif isinstance(node, ast.Name):
            found = self._program.assigned(node.id, scope)
            answer = None if found is None else self.known(*found)
        elif isinstance(node, ast.JoinedStr):
            answer = self._joined(node, scope)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Div):
            first = self.known(node.left, scope)
            second = self.known(node.right, scope) if first is not None and first.whole else None
            answer = _added(first, second) if isinstance(node.op, ast.Add) else _below(first, second)
        elif isinstance(node, ast.Call):
            answer = self._called(node, scope)
        return answer

    def _joined(self, node: ast.JoinedStr, scope: Scope) -> Known | None:
        so_far: Known | None = Known("")
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            plain = not isinstance(part, ast.FormattedValue) or (part.format_spec is None and part.conversion == -1)
            so_far = _added(so_far, self.known(inner, scope) if plain else None)
            if so_far is None or not so_far.whole:
                break
        return so_far

    def _called(self, call: ast.Call, scope: Scope) -> Known | None:
        function = call.func
        origins = self._program.origins(function, scope)
        if origins:
            joins = origins <= _PATHS or origins <= _JOINS
            return self._all_below(None, call, scope) if joins else None
        if isinstance(function, ast.Name):
            is_str = function.id == "str" and len(call.args) == 1
            builtin = is_str and self._program.reaches_builtins("str", scope, function)
            return self.known(call.args[0], scope) if builtin else None
        return self._method(call, function, scope) if isinstance(function, ast.Attribute) else None

    def _method(self, call: ast.Call, function: ast.Attribute, scope: Scope) -> Known | None:
        receiver = self.known(function.value, scope)
        if receiver is None or function.attr in _THE_SAME:
            return receiver
        if function.attr == "joinpath":
            return self._all_below(receiver, call, scope)
        if function.attr in _SIBLINGS and receiver.whole:
            return Known(receiver.text.rpartition("/")[0] + "/", whole=False, is_path=True)
        return None

    def _all_below(self, so_far: Known | None, call: ast.Call, scope: Scope) -> Known | None:
        for index, argument in enumerate(call.args):
            part = None if isinstance(argument, ast.Starred) else self.known(argument, scope)
            if so_far is None and index == 0:
                so_far = None if part is None else Known(part.text, part.whole, is_path=True)
            else:
                so_far = _below(so_far, part)
            if so_far is None or not so_far.whole:
                break
        return so_far


def _added(first: Known | None, second: Known | None) -> Known | None:
    if first is None or not first.whole:
        return first
    if second is None:
        return Known(first.text, whole=False) if first.text else None
    text = first.text + second.text
    return Known(text[:_CHARACTERS], second.whole and len(text) <= _CHARACTERS)


def _below(first: Known | None, second: Known | None) -> Known | None:
    """``first / second``."""
    if first is None or not first.whole:
        return first
    if second is None:
        return Known(first.text.rstrip("/") + "/", whole=False, is_path=True)
    if second.text.startswith("/"):
        return Known(second.text, second.whole, is_path=True)
    text = f"{first.text.rstrip('/')}/{second.text}"
    return Known(text[:_CHARACTERS], second.whole and len(text) <= _CHARACTERS, is_path=True)
