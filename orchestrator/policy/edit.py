"""New values in the text of a policy file, with its comments and order kept as far as they can be.

Lists lose the names that are to go, line by line, and get new ones at their end; a comment stays, for it may still be
true. The result is read back and compared with what was asked for, so that an odd way of writing is an error and never
another policy.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.errors import PolicyError

Value = tuple[str, ...] | float | str

_NAME: Final = re.compile(r'"([^"\\]*)"\s*,?\s*')
_WIDTH: Final = 118


def edited(text: str, tables: Mapping[str, Mapping[str, Value]]) -> str:
    """``text`` (valid TOML) with those values. ``PolicyError`` where it is written so that this cannot be done."""
    lines = text.split("\n")
    for table, values in tables.items():
        for key, value in values.items():
            if tomllib.loads(text).get(table, {}).get(key) != _plain(value):
                lines = _set(lines, table, key, value)
    result = "\n".join(lines)
    _check(result, text, tables)
    return result


def unified(before: str, after: str, name: str) -> str:
    """The difference for a person, and for ``patch``; "" for none."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}"
    )
    return "".join(lines)


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _check(result: str, text: str, tables: Mapping[str, Mapping[str, Value]]) -> None:
    """Nothing but what was asked for may have changed; the order of a list does not count."""
    try:
        found = tomllib.loads(result)
    except ValueError as error:
        raise PolicyError("the proposal cannot be written into this file", hint=f"edit it by hand: {error}") from None
    wanted = tomllib.loads(text)
    for table, values in tables.items():
        for key, value in values.items():
            wanted.setdefault(table, {})[key] = _plain(value)
    if _sorted(found) != _sorted({name: value for name, value in wanted.items() if value != {} or name in found}):
        raise PolicyError("the proposal cannot be written into this file", hint="write each key on a line of its own")


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted(value) if all(isinstance(each, str) for each in value) else value
    return value


def _set(lines: list[str], table: str, key: str, value: Value) -> list[str]:
    start, end = _section(lines, table)
    if start < 0:
        return [*lines, f"[{table}]", *_written(key, value), ""]
    at = next((index for index in range(start, end) if re.match(rf"{re.escape(key)}\s*=", lines[index])), -1)
    if at < 0:
        return [*lines[:start], *_written(key, value), *lines[start:]]
    last = _end_of(lines, at, end)
    if isinstance(value, tuple) and last > at:
        return [*lines[:at], *_relisted(lines[at : last + 1], value), *lines[last + 1 :]]
    comment = _comment(lines[at]) if last == at else ""
    return [*lines[:at], *_written(key, value, comment), *lines[last + 1 :]]


def _section(lines: list[str], table: str) -> tuple[int, int]:
    """First line of the table's body, and the line after it; (-1, -1) where there is no such table."""
    start = next(
        (index + 1 for index, line in enumerate(lines) if re.match(rf"\[{re.escape(table)}\]\s*(#|$)", line)), -1
    )
    if start < 0:
        return -1, -1
    return start, next((index for index in range(start, len(lines)) if lines[index].startswith("[")), len(lines))


def _end_of(lines: list[str], at: int, end: int) -> int:
    """The line on which the value that begins at ``at`` ends."""
    if "[" not in _code(lines[at]) or "]" in _code(lines[at]):
        return at
    return next((index for index in range(at + 1, end) if "]" in _code(lines[index])), at)


def _code(line: str) -> str:
    """A line without its strings and its comment."""
    return re.sub(r'"[^"]*"', "", line).partition("#")[0]


def _comment(line: str) -> str:
    """The comment at the end of a line, with the space before it."""
    masked = re.sub(r'"[^"]*"', lambda match: "x" * len(match[0]), line)
    at = masked.find("#")
    return "" if at < 0 else line[len(line[:at].rstrip()) :]


def _relisted(lines: list[str], value: tuple[str, ...]) -> list[str]:
    """A list over several lines: names that are to go are taken out, new ones come at the end."""
    kept, left = [lines[0]], set(value)
    for line in lines[1:-1]:
        comment = _comment(line)
        body = line[: len(line) - len(comment)] if comment else line
        names = [match[1] for match in _NAME.finditer(body)]
        if not names:
            kept.append(line)
            continue
        staying = [name for name in names if name in left]
        left -= set(staying)
        if staying == names:
            kept.append(line)
        elif staying:
            kept.append(_row(staying) + comment)
    return [*kept, *_rows(sorted(left)), lines[-1]]


def _row(names: list[str]) -> str:
    return "  " + " ".join(f"{json.dumps(name)}," for name in names)


def _rows(names: list[str]) -> list[str]:
    rows: list[list[str]] = []
    for name in names:
        if rows and len(_row([*rows[-1], name])) <= _WIDTH:
            rows[-1].append(name)
        else:
            rows.append([name])
    return [_row(row) for row in rows]


def _written(key: str, value: Value, comment: str = "") -> list[str]:
    if isinstance(value, tuple):
        short = f"{key} = [{', '.join(json.dumps(name) for name in value)}]{comment}"
        return [short] if len(short) <= _WIDTH else [f"{key} = [", *_rows(list(value)), "]"]
    shown = json.dumps(value) if isinstance(value, str) else f"{value:g}"
    return [f"{key} = {shown}{comment}"]
