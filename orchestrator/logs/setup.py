"""Which records go where."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from loguru import logger

from orchestrator.logs.file import LogFile
from orchestrator.logs.lines import json_line, text_line
from orchestrator.settings import LogLevel, Settings

if TYPE_CHECKING:
    from loguru import Message, Record

PACKAGE: Final = "orchestrator"
LEVELS: Final[dict[LogLevel, str]] = {"minimal": "WARNING", "standard": "INFO", "verbose": "DEBUG"}
"""The least severe that each setting shows; "silent" shows nothing."""

RUN_LINES: Final = "orchestrator.results.lines"
"""The module whose records tell how a run ended."""

_LOGURU_DEFAULT: Final = 0  # the handler that loguru starts with, which prints everything
_MEBIBYTE: Final = 2**20
_ours: list[int] = []
_files: list[LogFile] = []


def configure(
    level: LogLevel,
    *,
    json: bool = False,
    stream: TextIO | None = None,
    file: Path | None = None,
    file_mb: int = 10,
    file_keep: int = 5,
    run_lines: bool = True,
) -> None:
    """Send this package's log to ``file``, else to ``stream`` (default: standard error, as it is when a line is
    written).

    ``json``: one JSON object a line. ``file_mb``, ``file_keep``: when it is rotated, and how many old ones stay.
    ``run_lines`` False leaves out the line that tells how a run ended, for who shows the result anyway. Replaces what
    an earlier call set up, and loguru's own first handler, which would print every line a second time; handlers that
    the program added itself stay. Raises SettingsError if the file cannot be used; then nothing has changed.
    """
    opened = None
    if file is not None and level != "silent":
        opened = LogFile(file, most_bytes=file_mb * _MEBIBYTE, keep=file_keep)
    _forget()
    if level == "silent":
        logger.disable(PACKAGE)
        return
    logger.enable(PACKAGE)
    as_line = json_line if json else text_line

    def to_file(message: Message, file: LogFile) -> None:
        file.write(as_line(message.record))

    def to_stream(message: Message) -> None:
        with suppress(OSError, ValueError):  # closed, or nobody reads it any more: that must not end a run
            (stream or sys.stderr).write(as_line(message.record))

    def shown(record: Record) -> bool:
        return run_lines or record["name"] != RUN_LINES

    if opened is not None:
        _files.append(opened)
    sink = to_stream if opened is None else lambda message: to_file(message, opened)
    _ours.append(
        logger.add(
            sink, level=LEVELS[level], filter=shown, format="{message}", colorize=False, backtrace=False, diagnose=False
        )
    )


def obey(settings: Settings, *, run_lines: bool = True) -> None:
    """``configure`` as the settings say."""
    configure(
        settings.log_level,
        json=settings.log_format == "json",
        file=settings.log_file,
        file_mb=settings.log_file_mb,
        file_keep=settings.log_file_keep,
        run_lines=run_lines,
    )


def _forget() -> None:
    for handler in (_LOGURU_DEFAULT, *_ours):
        with suppress(ValueError):  # somebody has removed it already
            logger.remove(handler)
    _ours.clear()
    for file in _files:
        file.close()
    _files.clear()
