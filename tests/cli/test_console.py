"""What reaches the terminal: nothing that it could obey, and JSON that still says exactly what was meant."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from orchestrator.cli.console import Spinner, json_text, safe
from orchestrator.cli.render import excerpt, result_lines, result_value
from orchestrator.cli.run import LONGEST_HELD, Echo, read_inputs
from orchestrator.errors import InputsError
from orchestrator.events import RunEvent
from orchestrator.results.model import RunResult, SkillError, Status
from orchestrator.text import escape_controls
from orchestrator.validation.finding import Finding
from orchestrator.vault.changes import Change

HOSTILE = "\x1b]52;c;QUFB\x07\x1b[2J\x9b31m\r\u202e\u200b[bold]b[/bold][link=http://e.x]c[/link]\ud800"
OBEYED = ("\x1b", "\x07", "\x9b", "\r", "\u202e", "\u200b", "\ud800")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def shown(*lines: object) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system=None, markup=False, emoji=False, width=200)
    for line in lines:
        console.print(line, soft_wrap=True)
    return stream.getvalue()


@given(json_values)
def test_json_text_parses_to_the_same_value_and_holds_nothing_that_a_terminal_obeys(value: object) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    assert escape_controls(text) == text


def test_json_text_keeps_letters_of_other_languages() -> None:
    assert json_text("Grüße, 世界") == '"Grüße, 世界"'


def test_json_text_escapes_what_hides() -> None:
    assert json_text(HOSTILE).isprintable()
    assert json.loads(json_text(HOSTILE)) == HOSTILE


def test_safe_text_is_neither_markup_nor_control() -> None:
    text = shown(safe(HOSTILE))
    assert not any(character in text for character in OBEYED)
    assert "[bold]b[/bold][link=http://e.x]c[/link]" in text


def hostile_result() -> RunResult:
    return RunResult(
        run_id="0",
        skill=f"{HOSTILE}@1",
        level="standard",
        status=Status.FAILED,
        reason=HOSTILE,
        output=HOSTILE,
        error=SkillError("E", HOSTILE, HOSTILE),
        changes=(Change("created", HOSTILE, 1, "0" * 64),),
        violations=(Finding("ORC101", HOSTILE, HOSTILE, HOSTILE, "error", 1, 3),),
    )


def test_every_part_of_a_result_is_escaped() -> None:
    result = hostile_result()
    text = shown(*result_lines(result, HOSTILE)) + result_value(result)
    assert not any(character in text for character in OBEYED)
    assert text.count("[bold]b[/bold]") >= 6  # name, reason, change, traceback, message, excerpt, fix


@pytest.mark.parametrize(
    ("source", "line", "column", "lines"),
    [
        ("import os\n", 1, 8, ["      import os", "             ^"]),
        ("x = 1\r\ny = é + 2", 2, 9, ["      y = é + 2", "              ^"]),
        ("\t世界 = 1", 1, 2, ["      \\t世界 = 1", "        ^"]),
        ("x", 1, 0, ["      x"]),
        ("x", 2, 1, []),
        ("x", 0, 0, []),
    ],
)
def test_the_caret_stands_under_the_column(source: str, line: int, column: int, lines: list[str]) -> None:
    assert [text.plain for text in excerpt(source, line, column)] == lines


def test_a_long_line_is_cut_around_the_column() -> None:
    text, caret = (line.plain for line in excerpt("a" * 500 + "B" + "c" * 500, 1, 501))
    assert len(text) < 120
    assert text[caret.index("^")] == "B"


@pytest.mark.parametrize("argument", ["{", "[]", "1", '{"a": 1, "a": 2}', '{"a": NaN}', "", "@/no/such/file", "@."])
def test_inputs_that_are_no_object_are_refused(argument: str) -> None:
    with pytest.raises(InputsError):
        read_inputs(argument)


def test_inputs_are_an_object_or_nothing() -> None:
    assert read_inputs(None) is None
    assert read_inputs('{"a": [1, "ü"]}') == {"a": [1, "ü"]}


def test_echo_prefixes_every_line_so_that_none_can_pass_for_ours() -> None:
    stream = io.StringIO()
    echo = Echo(stream, Spinner(""))
    for text in ("one\ntw", "o\r\nskill succeeded", "\x1b[1m"):
        echo(RunEvent("stdout", "0", text=text))
    echo(RunEvent("stderr", "0", text="error"))
    echo.end()
    assert stream.getvalue().splitlines() == [
        "  | one",
        "  | two\\r",
        "  | skill succeeded\\x1b[1m",
        "  | error",
    ]


def test_echo_does_not_hold_an_endless_line() -> None:
    stream = io.StringIO()
    echo = Echo(stream, Spinner(""))
    for _ in range(100):
        echo(RunEvent("stdout", "0", text="x" * LONGEST_HELD))
    assert len(stream.getvalue()) > 90 * LONGEST_HELD
