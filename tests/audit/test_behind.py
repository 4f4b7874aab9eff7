"""What follows a committed record: the sync, then the anchor, then whoever waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.audit.behind import Behind
from orchestrator.audit.chain import Head
from orchestrator.records import RecordsError
from tests.audit.conftest import Archive, allowed, result_of, skill_of


def head(seq: int) -> Head:
    return Head(seq, f"{seq:064x}", "key")


class Steps:
    """What was done, in order. The first sync waits for ``go``."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.faults: list[str] = []
        self.began, self.go = threading.Event(), threading.Event()
        self.error: Exception | None = None

    def sync(self) -> None:
        self.began.set()
        assert self.go.wait(10)
        if self.error is not None:
            raise self.error
        self.done.append("sync")

    def anchor(self, at: Head) -> None:
        self.done.append(at.seq)


def test_records_that_come_meanwhile_share_the_next_sync_and_its_anchor() -> None:
    steps = Steps()
    behind = Behind(steps.sync, steps.anchor, steps.faults.append)
    behind.put(head(1))
    assert steps.began.wait(10)
    for seq in (2, 4, 3):
        behind.put(head(seq))
    steps.go.set()
    behind.wait(3)
    assert steps.done == ["sync", 1, "sync", 4]
    behind.close()


def test_who_waits_for_an_earlier_one_does_not_wait_for_the_newest() -> None:
    steps = Steps()
    behind = Behind(steps.sync, steps.anchor, steps.faults.append)
    steps.go.set()
    behind.put(head(1))
    behind.wait(1)
    steps.go.clear()
    behind.put(head(2))
    behind.wait(1)  # or this test would hang
    steps.go.set()
    behind.close()
    assert steps.done[-1] == 2, "what was put is finished at the end"


@pytest.mark.parametrize("error", [RecordsError("the disk is gone", hint="another"), ZeroDivisionError("ours")])
def test_what_cannot_be_synced_is_no_anchor_and_everybody_is_told(error: Exception) -> None:
    steps = Steps()
    steps.error = error
    steps.go.set()
    behind = Behind(steps.sync, steps.anchor, steps.faults.append)
    behind.put(head(1))
    for _ in range(2):
        with pytest.raises(RecordsError, match=str(error)):
            behind.wait(1)
    steps.error = None
    behind.put(head(2))
    with pytest.raises(RecordsError, match=str(error)):  # that the next one works proves nothing about the first
        behind.wait(2)
    with pytest.raises(RecordsError):
        behind.require_sound()
    behind.close()
    assert steps.done == []
    assert len(steps.faults) == 1


def test_closing_without_a_record_does_nothing() -> None:
    steps = Steps()
    behind = Behind(steps.sync, steps.anchor, steps.faults.append)
    behind.close()
    behind.close()
    assert steps.done == []


def test_no_run_starts_once_a_record_could_not_be_synced(archive: Archive) -> None:
    if archive.database.dialect != "sqlite":
        pytest.skip("a server syncs by itself")
    faults: list[str] = []
    with archive.trail(on_fault=faults.append) as trail:
        asked = {"principal": "anna", "image_id": "sha256:1"}
        trail.settled(trail.intent("r1", skill_of(), {}, allowed(), **asked))
        unlinked = unsyncable(archive)
        number = trail.intent("r2", skill_of(), {}, allowed(), **asked)
        with pytest.raises(RecordsError, match="cannot be opened"):
            trail.settled(number)
        assert len(faults) == 1
        with pytest.raises(RecordsError, match="cannot be opened"):
            trail.intent("r3", skill_of(), {}, allowed(), **asked)
        trail.outcome(result_of("r1"))  # what has run is still recorded
        unlinked()
    assert archive.verify().ok
    assert archive.verify().records == 3


def unsyncable(archive: Archive) -> Callable[[], object]:
    """The log under another name: SQLite has it open, and we follow no link. It gives what puts it back."""
    assert isinstance(archive.where, Path)
    log = archive.where.with_name(f"{archive.where.name}-wal")
    moved = log.rename(log.with_name("moved"))
    log.symlink_to(moved)
    return lambda: moved.replace(log)
