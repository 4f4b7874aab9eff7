"""The library's log: silent until asked for, one safe line a record, never a template."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from loguru import logger

from orchestrator import logs
from orchestrator.settings import LogLevel


@pytest.fixture(autouse=True)
def _silent_afterwards() -> Iterator[None]:
    yield
    logs.configure("silent")


def emit(level: str, message: str, *arguments: object) -> None:
    """As a module of the package would."""
    code = "def emit(logger, level, message, arguments): logger.log(level, message, *arguments)"
    namespace: dict[str, object] = {"__name__": "orchestrator.test"}
    exec(code, namespace)
    namespace["emit"](logger, level, message, arguments)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("silent", []),
        ("minimal", ["WARNING", "ERROR"]),
        ("standard", ["INFO", "WARNING", "ERROR"]),
        ("verbose", ["DEBUG", "INFO", "WARNING", "ERROR"]),
    ],
)
def test_levels(level: LogLevel, shown: list[str]) -> None:
    stream = io.StringIO()
    logs.configure(level, stream=stream)
    for each in ("DEBUG", "INFO", "WARNING", "ERROR"):
        emit(each, "said {}", each)
    assert [line.rpartition(" ")[2] for line in stream.getvalue().splitlines()] == shown


@pytest.mark.parametrize("as_json", [False, True])
def test_hostile_text_stays_one_safe_line(as_json: bool) -> None:
    hostile = "a\n12:00:00 error: forged\x1b[2J\u202e {0} {level} <red>x</red>\ud800"
    stream = io.StringIO()
    logs.configure("standard", json=as_json, stream=stream)
    emit("ERROR", "engine says {}", hostile)
    (line,) = stream.getvalue().splitlines()
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert "<red>x</red>" in line
    if as_json:
        assert json.loads(line)["message"] == f"engine says {hostile}".replace("\ud800", "\\ud800")


def test_configuring_again_replaces_and_leaves_foreign_handlers() -> None:
    foreign: list[str] = []
    handler = logger.add(lambda message: foreign.append(str(message)), format="{message}")
    first, second = io.StringIO(), io.StringIO()
    try:
        logs.configure("standard", stream=first)
        logs.configure("standard", stream=second)
        emit("ERROR", "once")
    finally:
        logger.remove(handler)
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1
    assert len(foreign) == 1
