"""Where the library's log lines go, for programs that want to see them.

The library itself adds no sink and writes nothing on its own: a program calls ``configure`` once. Messages may quote
engines, manifests and sandboxes. They reach loguru as arguments, never as templates, and every line is escaped here
before it is written, so that one record stays one line and no terminal obeys it.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO

from loguru import logger

from orchestrator.settings import LogLevel
from orchestrator.text import escape_controls

if TYPE_CHECKING:
    from loguru import Message, Record

PACKAGE: Final = "orchestrator"
LEVELS: Final[dict[LogLevel, str]] = {"minimal": "ERROR", "standard": "WARNING", "verbose": "DEBUG"}
"""What each setting shows; "silent" shows nothing."""

_LOGURU_DEFAULT: Final = 0  # the handler that loguru starts with, which prints everything
_ours: list[int] = []


def configure(level: LogLevel, *, json: bool = False, stream: TextIO | None = None) -> None:
    """Send this package's log to ``stream`` (default: standard error, as it is when a line is written).

    ``json``: one JSON object a line. Replaces what an earlier call set up, and loguru's own first handler, which would
    print every line a second time; handlers that the program added itself stay.
    """
    for handler in (_LOGURU_DEFAULT, *_ours):
        with suppress(ValueError):  # somebody has removed it already
            logger.remove(handler)
    _ours.clear()
    if level == "silent":
        logger.disable(PACKAGE)
        return
    logger.enable(PACKAGE)
    as_line = json_line if json else text_line

    def write(message: Message) -> None:
        (stream or sys.stderr).write(as_line(message.record))

    _ours.append(logger.add(write, level=LEVELS[level], format="{message}", colorize=False))


def text_line(record: Record) -> str:
    """Time, level, message; a traceback is shortened to the exception itself."""
    line = f"{record['time']:%H:%M:%S} {record['level'].name.lower()}: {record['message']}{_exception(record)}"
    return escape_controls(line, keep_newlines=False) + "\n"


def json_line(record: Record) -> str:
    document = {
        "time": record["time"].isoformat(),
        "level": record["level"].name.lower(),
        "module": record["name"] or "",
        "message": record["message"] + _exception(record),
    }
    return json.dumps(document) + "\n"  # ASCII only: controls, bidi marks and surrogates all become \u escapes


def _exception(record: Record) -> str:
    found = record["exception"]
    return f" ({type(found.value).__name__}: {found.value})" if found is not None and found.value is not None else ""
