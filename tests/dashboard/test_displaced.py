"""Somebody has the file open for writing when the dashboard takes its place: their words get into the new one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

import pytest

from orchestrator.dashboard.board import Dashboard
from orchestrator.dashboard.displaced import Displaced
from orchestrator.dashboard.facts import SkillRow
from orchestrator.dashboard.region import BEGIN, END
from orchestrator.dashboard.seal import Writer
from orchestrator.dashboard.sources import Sources
from tests.dashboard.test_note import Board, board  # noqa: F401 - the fixture
from tests.vault.conftest import base  # noqa: F401 - the fixture

ME = Writer("a" * 16, "1" * 16)
MINE = f"# Mine\n{BEGIN}\nold\n{END}\nmy last line\n"


class Kept:
    """A dashboard in a real vault, and the facts that it shows."""

    def __init__(self, board: Board) -> None:  # noqa: F811
        self.file, self.note = board.file, board.note
        self.rows = [SkillRow("tidy@1.0.0")]
        self.dashboard = Dashboard(board.note, Sources(skills=lambda: self.rows), writer=ME, now=lambda: 1e9)

    def refresh(self, *, last: bool = False) -> str:
        return self.dashboard.refresh(last=last).state

    def change(self) -> None:
        self.rows[0] = SkillRow("tidy@1.0.0", runs=self.rows[0].runs + 1)


@pytest.fixture
def kept(board: Board) -> Kept:  # noqa: F811
    return Kept(board)


def test_who_writes_is_known(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("a")
    descriptor = os.open(file, os.O_RDONLY)
    displaced = Displaced(descriptor, b"a")
    file.unlink()
    assert displaced.busy() is False
    assert displaced.late(100) is None
    displaced.close()


def test_an_unfinished_text_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("a")
    displaced = Displaced(os.open(file, os.O_RDONLY), b"a")
    with file.open("w") as stream:
        assert displaced.late(100) is None, "emptied: the text is still to come"
        assert displaced.late(100, last=True) is None
        _say(stream, "half")
        assert displaced.busy() is True
        assert displaced.late(100) is None
        assert displaced.late(100) == b"half", "nothing more came since the last look"
        _say(stream, " and whole")
        assert displaced.late(100) is None
        assert displaced.late(100, last=True) == b"half and whole"
    assert displaced.busy() is False
    assert displaced.late(4) == b"half", "no more than was asked for"
    displaced.close()


def _say(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_save_that_was_under_way_is_in_the_note(kept: Kept, at_once: bool) -> None:
    """The worst moment: their program has emptied the file, and writes it after we have taken its place."""
    kept.file.write_text(MINE)
    with kept.file.open("w") as theirs:
        assert kept.refresh() == "written"
        assert "# Mine" not in kept.file.read_text()
        if not at_once:
            assert kept.refresh() == "unchanged", "the text is still to come"
        _say(theirs, MINE.replace("my last line", "my words"))
    assert kept.refresh() == "written"
    text = kept.file.read_text()
    assert text.startswith(f"# Mine\n{BEGIN}\n")
    assert text.endswith(f"{END}\nmy words\n")
    assert "| tidy&#64;1.0.0 |" in text
    assert kept.refresh() == "unchanged"


def test_an_appended_line_too_and_at_the_end_as_well(kept: Kept) -> None:
    kept.file.write_text(MINE)
    with kept.file.open("a") as theirs:
        assert kept.refresh() == "written"
        _say(theirs, "appended\n")
        kept.change()
        kept.refresh()
        kept.refresh()
        assert kept.file.read_text().endswith(f"{END}\nmy last line\nappended\n")
        _say(theirs, "and again\n")
    assert kept.refresh(last=True) == "written"
    assert kept.file.read_text().endswith("appended\nand again\n")


def test_at_the_end_who_still_writes_is_waited_for_only_so_long(kept: Kept) -> None:
    kept.file.write_text(MINE)
    with kept.file.open("a") as theirs:
        assert kept.refresh() == "written"
        _say(theirs, "appended\n")
        kept.refresh(last=True)
    assert kept.file.read_text().endswith("appended\n")


def test_a_newer_save_stays_and_late_words_are_added(kept: Kept) -> None:
    kept.file.write_text(MINE)
    with kept.file.open("a") as theirs:
        assert kept.refresh() == "written"
        kept.file.write_text(f"# Newer\n{BEGIN}\n{END}\n")
        _say(theirs, "late\n")
    assert kept.refresh() == "written"
    text = kept.file.read_text()
    assert text.startswith("# Newer\n")
    assert text.endswith(f"{END}\nlate\n")
    assert "my last line" not in text, "that was gone when it was saved anew"


def test_no_descriptor_is_left_open(kept: Kept) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    kept.file.write_text(MINE)
    for _ in range(20):
        kept.change()
        assert kept.refresh() == "written"
    assert len(os.listdir("/proc/self/fd")) <= before + 2  # noqa: PTH208
    kept.refresh(last=True)
    assert len(os.listdir("/proc/self/fd")) <= before + 1, "the staging directory's lock, once"  # noqa: PTH208
