"""Facts as Markdown: nothing that somebody else wrote means anything in it."""

from __future__ import annotations

import html
import re

import pytest

from orchestrator.dashboard.facts import AlertRow, Facts, PoolRow, ReviewRow, RunRow, Section, SkillRow, TroubleRow
from orchestrator.dashboard.page import CELL_CHARACTERS, age, cell, page, when
from orchestrator.dashboard.region import BEGIN, END, replaced

NOW = 1_790_000_000.0
HOSTILE = (
    "|a\\|b` ``c`` <script>alert(1)</script> <!-- [[secret]] ![x](http://e.x/y) [l](obsidian://run) www.e.x a@b.cd",
    "#tag %%c%% ==m== *b* __u__ ~~s~~ $=dv.pages() $x^2$ `= this.file` key:: value <% tp.system.prompt() %> ^block",
    "\x1b[2J\u202e\u2028\u200b\x00\r\n| injected | row |\n```\n---\nstate: approved",
    f"{BEGIN}\n{END}",
    "&#124; &lt;b&gt; &amp; {{x}} {% y %}",
)


def full(text: str) -> Facts:
    return Facts(
        NOW,
        Section((SkillRow(text, 12, 0.5, NOW - 90, 6, text),), 3),
        Section((ReviewRow(text, text, text, text, NOW - 7200, NOW + 86400 * 3),)),
        Section((RunRow(text, text, text, NOW - 5),)),
        Section((TroubleRow(text, text, text, NOW - 1),)),
        Section((AlertRow(text, text, text, NOW - 1, 17),)),
        Section((PoolRow(text, {text: 2}),)),
    )


def harmless(row: str) -> bool:
    """Whether it consists of cells, our times, references, and characters that mean nothing."""
    return re.fullmatch(r"(?:&#\d+;|\d\d:\d\d:\d\d UTC|[\w \-.,/()…|])*+", row) is not None


def test_everything_stands_there() -> None:
    text = page(full("tidy-inbox"))
    for words in (
        "| tidy-inbox | 12 | 50.0&#37; | ", "(1 min ago)", "(2 h ago)", "(in 3 d)", "(5 s ago)", "And 3 more.",
        "UTC", "2 tidy-inbox", "## Skills in trouble", "## Last alerts", "| 17 |", "## Skills", "## Last runs",
        "## Waiting for a review", "## Sandboxes",
    ):  # fmt: skip
        assert words in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_others_wrote_has_no_meaning(hostile: str) -> None:
    plain, text = page(full("x")), page(full(hostile))
    assert text.count("\n") == plain.count("\n"), "no line more"
    for theirs, ours in zip(text.splitlines(), plain.splitlines(), strict=True):
        assert theirs.count("|") == ours.count("|"), "no cell more"
        if theirs != ours:
            assert harmless(theirs), theirs
            assert not re.search(r"www\.", theirs, re.IGNORECASE)


def test_the_check_can_fail() -> None:
    assert not harmless("| `x` |")
    assert not harmless("| [x] |")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_it_cannot_break_the_markers(hostile: str) -> None:
    once = replaced(b"# Mine\n", page(full(hostile)))
    assert replaced(once, page(full(hostile))) == once


def test_a_reader_sees_the_characters_themselves() -> None:
    assert html.unescape(cell("a|b `c` <d> www.e.f")) == "a|b `c` <d> www.e.f"


def test_cells_and_rows_are_bounded() -> None:
    assert len(cell("|" * 10**6)) <= CELL_CHARACTERS * len("&#1114111;")


def test_what_cannot_be_known_is_said() -> None:
    text = page(Facts(NOW, Section(unknown="the engine <does> not answer")))
    assert "Not known: the engine &#60;does&#62; not answer" in text
    assert text.count("None.") == 5


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), 1e300, -1e300])
def test_no_time_breaks_it(broken: float) -> None:
    assert when(broken, NOW)
    assert page(Facts(NOW, runs=Section((RunRow("r", "s", "t", broken),))))


def test_ages() -> None:
    assert [age(each) for each in (0, 59, 61, 3600, 90000, -3700)] == [
        "0 s ago", "59 s ago", "1 min ago", "1 h ago", "1 d ago", "in 1 h",
    ]  # fmt: skip
