"""What the command writes, and where: the result to standard output, everything else to standard error.

Text from skills, manifests, engines and notes goes through ``safe`` or ``json_text`` and reaches rich as ``Text`` only,
never as markup, so neither a terminal nor rich obeys it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.text import escape_controls

if TYPE_CHECKING:
    from orchestrator.policy.model import EnforcementMode  # at run time it would load jsonschema and the scanner

_NOT_PLAIN: Final = re.compile(r"[^\n\x20-\x7e]")


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"


class Report(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


class Enforcement(StrEnum):
    ENFORCE = "enforce"
    AUDIT = "audit"

    @property
    def mode(self) -> EnforcementMode:
        return "audit" if self is Enforcement.AUDIT else "enforce"


def safe(value: object, style: str = "", *, one_line: bool = False) -> Text:
    """Untrusted ``value`` as rich text: controls escaped, no markup."""
    return Text(escape_controls(str(value), keep_newlines=not one_line), style=style)


def json_text(value: Any) -> str:
    """``value`` as indented JSON that is safe to show: what a terminal could obey or hide is written as ``\\uXXXX``,
    other letters as themselves. It still parses to ``value`` exactly."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    return _NOT_PLAIN.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return character if escape_controls(character) == character != "\t" else json.dumps(character)[1:-1]


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | frozenset | set):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def put(text: str) -> None:
    """A line of the result, to standard output. ``text`` is safe already."""
    sys.stdout.write(f"{text}\n")


def put_json(document: Any) -> None:
    """The one JSON document of ``-o json``."""
    put(json_text(document))


def out() -> Console:
    """For results that are tables or coloured text; made anew, because tests and pipes replace the streams."""
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=False)


def err() -> Console:
    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False)


def say(message: RenderableType) -> None:
    """Something for the person at the terminal, to standard error. A ``str`` is ours, anything else needs ``safe``."""
    err().print(message, soft_wrap=True)


class Spinner:
    """Says on standard error what is going on while something takes long; only on a terminal. A context manager."""

    def __init__(self, message: str) -> None:
        console = err()
        self._status = console.status(Text(message)) if console.is_terminal else None

    def step(self, message: str) -> None:
        if self._status is not None:
            self._status.update(safe(message, one_line=True))

    def stop(self) -> None:
        """Idempotent; what is written to standard error afterwards stays whole."""
        if self._status is not None:
            self._status.stop()

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def plain_table(*columns: str, right: tuple[str, ...] = (), whole: tuple[str, ...] = ()) -> Table:
    """A table without frames; the columns named in ``right`` are aligned to the right. Those in ``whole`` are never
    broken: somebody copies what stands in them."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        number = column in right
        table.add_column(
            column, justify="right" if number else "left", no_wrap=number or column in whole, overflow="fold"
        )
    return table
