"""Python values that are JSON values: strict deep copies, frozen and thawed forms, JSON pointers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from orchestrator.errors import Problem
from orchestrator.strictjson import MAX_INTEGER_DIGITS
from orchestrator.text import one_line

_INTEGER_LIMIT: Final = 10**MAX_INTEGER_DIGITS
_JSON: Final = "a JSON value: object, array, string, number, true, false or null"
MAX_PROBLEMS: Final = 50
"""Problems reported for one document. More would help nobody, and a hostile document could ask for millions."""


def pointer(*parts: str | int, base: str = "") -> str:
    """The RFC 6901 pointer of ``parts`` below ``base``. Unprintable characters are shown escaped."""
    return base + "".join("/" + one_line(str(p), 200).replace("~", "~0").replace("/", "~1") for p in parts)


_Path = str | tuple["_Path", str | int]
"""A pointer, or a name below a path: hardly any is ever shown, so none is written out before."""


def _shown(path: _Path) -> str:
    names: list[str | int] = []
    while not isinstance(path, str):
        path, name = path
        names.append(name)
    return pointer(*reversed(names), base=path)


class _Refused(Exception):  # noqa: N818 - ends a copy that went over a bound
    pass


class _Copier:
    """One strict deep copy. Collects problems and goes on, except past a bound: then it stops at once."""

    def __init__(self, max_depth: int, max_nodes: int, max_characters: int) -> None:
        self.problems: list[Problem] = []
        self._max_depth = max_depth
        self._nodes = max_nodes
        self._characters = max_characters

    def _report(self, where: _Path, message: str, expected: str = "") -> None:
        self.problems.append(Problem(_shown(where), message, expected))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _Refused

    def copy(self, value: Any, where: _Path, depth: int) -> Any:
        self._nodes -= 1
        if self._nodes < 0:
            self._report(where, "too many values in one document", "fewer values")
            raise _Refused
        kind = type(value)
        if kind is str or isinstance(value, str):
            return self._text(value, where)
        if value is None or kind is bool:
            return value
        if isinstance(value, int):
            return self._integer(value, where)
        if isinstance(value, float):
            return self._real(value, where)
        if kind is dict or isinstance(value, Mapping | list | tuple):
            return self._container(value, where, depth + 1)
        self._report(where, f"is a Python {kind.__name__}", _JSON)
        return None

    def _text(self, value: str, where: _Path) -> str:
        self._characters -= len(value)
        if self._characters < 0:
            self._report(where, "the document is too large", "less text")
            raise _Refused
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                self._report(where, "holds a lone surrogate, which is no character", "text that encodes as UTF-8")
        return value if type(value) is str else str.__str__(value)

    def _integer(self, value: int, where: _Path) -> int:
        if not -_INTEGER_LIMIT < value < _INTEGER_LIMIT:
            self._report(where, "is too large", f"an integer of at most {MAX_INTEGER_DIGITS} digits")
            return 0
        return value if type(value) is int else int.__int__(value)

    def _real(self, value: float, where: _Path) -> float:
        if not math.isfinite(value):
            self._report(where, f"is {float.__repr__(value)}, which JSON does not have", "a finite number")
        return value if type(value) is float else float.__float__(value)

    def _container(self, value: Any, where: _Path, depth: int) -> Any:
        if depth > self._max_depth:
            self._report(where, f"is nested deeper than {self._max_depth} levels (or holds itself)", "less nesting")
            raise _Refused
        if type(value) is dict or isinstance(value, Mapping):
            return self._object(value, where, depth)
        return [self.copy(item, (where, index), depth) for index, item in enumerate(tuple(value))]

    def _object(self, value: Mapping[Any, Any], where: _Path, depth: int) -> dict[str, Any]:
        copied: dict[str, Any] = {}
        for key, item in tuple(value.items()):
            if not isinstance(key, str):
                self._report(where, f"has a key that is a Python {type(key).__name__}", "string keys")
                continue
            name = self._text(key, where)
            copied[name] = self.copy(item, (where, name), depth)
        return copied


def copy_json(
    value: Any, *, max_depth: int, max_nodes: int, max_characters: int, where: str = ""
) -> tuple[Any, list[Problem]]:
    """A deep copy of ``value`` made of plain dict, list, str, int, float, bool and None, and what was wrong with it.

    Any ``Mapping`` counts as an object, list and tuple as arrays; subclasses of str, int and float become the plain
    type. Everything else is a problem with its pointer below ``where``, as are NaN, lone surrogates, integers over
    ``MAX_INTEGER_DIGITS`` digits and keys that are no strings. Where there are problems the copy must not be used.
    """
    copier = _Copier(max_depth, max_nodes, max_characters)
    try:
        return copier.copy(value, where, 0), copier.problems
    except _Refused:
        return None, copier.problems


def freeze(value: Any) -> Any:
    """``value`` (plain JSON, depth bounded by whoever parsed it) as read-only mappings and tuples, sharing nothing."""
    if isinstance(value, dict):
        return MappingProxyType({key: freeze(item) for key, item in value.items()})
    return tuple(map(freeze, value)) if isinstance(value, list) else value


def thaw(value: Any) -> Any:
    """The inverse of ``freeze``: plain dicts and lists, the caller's own."""
    if isinstance(value, Mapping):
        return {key: thaw(item) for key, item in value.items()}
    return [thaw(item) for item in value] if isinstance(value, list | tuple) else value
