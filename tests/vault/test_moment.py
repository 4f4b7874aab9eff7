"""Edits just before and just after a moment are told apart, as far as the kernel can."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.vault.moment import Moment


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_what_was_written_before_is_not_touched(tmp_path: Path, directory: int) -> None:
    for number in range(300):
        note = tmp_path / str(number)
        note.write_text("x")
        assert not Moment.now(directory).touched_since(note.stat())


def test_what_is_written_after_is_touched(tmp_path: Path, directory: int) -> None:
    """At once where stamps are fine (kernel 6.13), within a tick elsewhere."""
    for number in range(300):
        moment = Moment.now(directory)
        note = tmp_path / str(number)
        note.write_text("x")
        while not moment.exact and not moment.touched_since(note.stat()):
            note.write_text("x")
        assert moment.touched_since(note.stat())


@pytest.mark.parametrize(("exact", "expected"), [(True, True), (False, False)])
def test_the_same_stamp(directory: int, exact: bool, expected: bool) -> None:
    """A fine stamp is given out once, so the same one means "not before"; a coarse one is everybody's."""
    entry = os.fstat(directory)
    assert Moment(entry.st_ctime_ns, exact=exact).touched_since(entry) is expected


def test_whole_seconds_count_as_after(tmp_path: Path) -> None:
    """A file system that stamps whole seconds stamps an edit with a time before the run's begin."""

    class Stamped:
        st_ctime_ns = 5_000_000_000

    late = Moment(5_900_000_000, exact=True)
    assert late.touched_since(Stamped())  # type: ignore[arg-type]
    assert not Moment(6_000_000_001, exact=True).touched_since(Stamped())  # type: ignore[arg-type]
