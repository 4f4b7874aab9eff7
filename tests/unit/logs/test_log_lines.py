"""Whatever text reaches the log, it is data, one line, escaped and bounded; and each level shows what is documented."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from orchestrator import logs
from orchestrator.logs.lines import MOST
from orchestrator.results.lines import QUIET, log_run
from orchestrator.results.model import FAILURES, RunResult, Status, Timings
from orchestrator.settings import LogLevel, Settings
from orchestrator.text import escape_controls
from orchestrator.validation.finding import Finding
from tests.docs.pages import OPERATIONS, table

RESULT = RunResult("r1", "tidy@1.0.0", "strict", Status.SUCCEEDED, "it ran to its end", timings=Timings(total=0.25))

HOSTILE = (
    "{}",
    "{0.__class__}",
    "{message} {level} {extra} {exception}",
    "{0[0]}",
    "{:>1000000000}",
    "{",
    "}",
    "{{}}",
    "%s %(name)s %",
    "<red>x</red> </> \\<blue>",
    "a\n12:00:00 error: forged",
    "a\r\x85b\u2028c\u2029d",
    "\x1b[2J\x1b]0;title\x07 \x9b31m",
    "\u202e\u2066 \u200b",
    "\ud800 \udfff\ud800",
    "\0",
    '"}\n{"level":"error"}',
)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    logs.configure("silent")
    logger.enable("orchestrator")


def say(text: str, name: str = "orchestrator.engine", **bound: object) -> None:
    """As a module of the package would."""
    code = "def say(logger, text): logger.warning('engine says {}', text)"
    namespace: dict[str, Any] = {"__name__": name}
    exec(code, namespace)
    namespace["say"](logger.bind(**bound) if bound else logger, text)


def written(level: LogLevel = "standard", **options: Any) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level, stream=stream, **options)
    return stream


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_is_data_on_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    stream = written()
    say(text)
    (line,) = stream.getvalue().split("\n")[:-1]
    assert line.endswith(f"warning: engine says {escape_controls(text, keep_newlines=False)}")
    assert escape_controls(line, keep_newlines=False) == line
    assert capsys.readouterr() == ("", "")  # loguru tells errors of sinks there


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_is_data_in_json(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    stream = written(json=True)
    say(text, run=text)
    (line,) = stream.getvalue().split("\n")[:-1]
    assert line.isascii()
    assert line.isprintable()
    document = json.loads(line)
    document["message"].encode()  # whole characters only: strict parsers take the line
    assert document["message"] == f"engine says {text}".encode("utf-8", "backslashreplace").decode()
    assert document["level"] == "warning"
    assert set(document) == {"time", "level", "module", "message", "fields"}
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("unit", ["x", "\x1b", "\U0001f600", "{}"], ids=ascii)
def test_a_line_is_bounded(as_json: bool, unit: str) -> None:
    stream = written(json=as_json)
    bound = logger.bind(**{f"{i}{unit * 1000}": unit * 10_000 for i in range(100)})
    bound.opt(exception=ValueError(unit * 500_000)).error("failed: {}", unit * 500_000)
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert len(line) < (12 * (2 * MOST + 32 * 450) + 1000 if as_json else 2 * MOST + 100)


def test_an_exception_is_told_with_its_place_and_without_values() -> None:
    secret = "value-of-a-local-variable"
    stream = written(json=True)
    try:
        assert int(secret)
    except ValueError:
        logger.exception("survived")
    document = json.loads(stream.getvalue())
    assert document["exception"]["type"] == "ValueError"
    assert document["exception"]["at"].startswith(f"{__name__}:")
    text = written()
    nothing: dict[str, str] = {}
    try:
        nothing[secret[:3]]
    except KeyError:
        logger.exception("survived")
    assert text.getvalue().count("\n") == 1
    assert "Traceback" not in text.getvalue()
    assert secret not in text.getvalue()


def test_nobody_looks_at_the_variables_around_an_exception() -> None:
    """loguru's ``diagnose`` shows the value of each: secrets, and the ``repr`` of what is hostile or huge."""
    looked: list[str] = []

    class Watched:
        def __repr__(self) -> str:
            looked.append("at")
            return "x"

    def fail(value: object) -> None:
        raise ValueError(value is None)

    stream = written()
    try:
        fail(Watched())
    except ValueError:
        logger.exception("survived")
    assert "survived" in stream.getvalue()
    assert looked == []


def test_what_cannot_be_told_in_json_is_left_out() -> None:
    stream = written(json=True)
    say("x", plain=1, infinite=float("inf"), nan=float("nan"), huge=10**5000, odd=object(), none=None, yes=True)
    assert json.loads(stream.getvalue())["fields"] == {"plain": 1, "none": None, "yes": True}


def test_a_stream_that_is_gone_ends_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    stream = written()
    stream.close()
    say("x")
    assert capsys.readouterr().err == ""


# What each level shows


def shown(level: LogLevel, result: RunResult, **options: Any) -> list[str]:
    stream = written(level, json=True, **options)
    log_run(result)
    return [json.loads(line)["level"] for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("status", Status)
def test_levels_show_what_is_documented(status: Status) -> None:
    result = replace(RESULT, status=status)
    failed = status not in (Status.SUCCEEDED, Status.HELD, Status.CANCELLED)
    line = ["warning"] if failed else ["info"]
    assert shown("silent", result) == []
    assert shown("minimal", result) == (line if failed else [])
    assert shown("standard", result) == line
    assert shown("verbose", result) == [*line, "debug"]
    assert shown("minimal", result, run_lines=False) == []


def test_the_table_of_levels() -> None:
    rows = {row["log_level"]: row["loguru's level"] for row in table(OPERATIONS, "Logging")}
    assert rows == {"silent": "", **logs.LEVELS}
    assert FAILURES.isdisjoint(QUIET)


def test_a_run_is_told_with_fields_and_its_reason_escaped() -> None:
    hostile = replace(
        RESULT, status=Status.FAILED, reason="{0.__class__}\n\x1b[2J", violations=(Finding("ORC101", "x", "y"),) * 3
    )
    stream = written("verbose", json=True)
    log_run(hostile)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["fields"] == {
        "run": "r1", "skill": "tidy@1.0.0", "level": "strict", "status": "failed", "seconds": 0.25,
    }  # fmt: skip
    assert first["message"].endswith(": {0.__class__}\n\x1b[2J")
    assert "(strict, no sandbox)" in first["message"]
    assert second["message"].endswith("rules: ORC101")


def test_settings_are_obeyed(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    logs.obey(Settings(log_level="minimal", log_format="json", log_file=file))
    log_run(RESULT)
    log_run(replace(RESULT, status=Status.DENIED))
    (line,) = file.read_text().splitlines()
    assert json.loads(line)["fields"]["status"] == "denied"
