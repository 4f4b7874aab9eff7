"""The exit codes are one table: every status and every exception of ours leads to a row of it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from orchestrator import errors
from orchestrator.cli.app import app
from orchestrator.cli.exits import DEFECT, EXITS, OF_STATUS, Exit, code_of
from orchestrator.cli.failures import ends
from orchestrator.results.model import Status


def every_error(
    kind: type[errors.OrchestratorError] = errors.OrchestratorError,
) -> Iterator[type[errors.OrchestratorError]]:
    for each in kind.__subclasses__():
        yield each
        yield from every_error(each)


def test_every_status_has_an_exit_code() -> None:
    assert set(OF_STATUS) == set(Status)
    assert set(OF_STATUS.values()) <= set(EXITS)


def test_codes_are_distinct() -> None:
    assert len({each.code for each in EXITS}) == len(EXITS)


@pytest.mark.parametrize("kind", sorted(set(every_error()), key=str))
def test_every_error_has_an_exit_code_of_the_table(kind: type[errors.OrchestratorError]) -> None:
    error = kind.__new__(kind)
    assert code_of(error) in {each.code for each in EXITS} - {0}


def test_a_cancelled_wait_is_a_cancelled_run() -> None:
    assert code_of(errors.LeaseCancelled("cancelled")) == 130


def test_help_shows_the_table() -> None:
    shown = " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output.split())
    for each in EXITS:
        assert f"{each.code} {each.meaning}" in shown


def test_a_defect_is_told_without_a_traceback() -> None:
    @ends
    def broken() -> Exit:
        raise KeyError("\x1b[2Jwhat")

    told = io.StringIO()
    with contextlib.redirect_stderr(told), pytest.raises(typer.Exit) as ended:
        broken()
    assert ended.value.exit_code == DEFECT.code
    assert "Traceback" not in told.getvalue()
    assert "\x1b" not in told.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["run"],
        ["run", "x.json", "--timeout", "soon"],
        ["run", "x.json", "-o", "xml"],
        ["policy", "frob"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("orchestrator 0.")
