"""What a process that lives long does for its trail: prunes in steps that let others in, and tells where it ends."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.audit.anchors import OUTSIDE_SECONDS, Outside
from orchestrator.audit.prune import UNENDED_SECONDS, prune
from orchestrator.audit.trail import AuditTrail
from tests.audit.conftest import Archive, allowed, skill_of

MOST = 10**12


def event(trail: AuditTrail) -> int:
    return trail.event("review.rejected", principal="anna")


class Elsewhere:
    """Another machine that gets anchors by a command, which ends with ``status``."""

    def __init__(self, file: Path, status: int = 0) -> None:
        self._file = file
        self.outside = Outside(("/bin/sh", "-c", f"cat >> '{file}'; exit {status}"))

    def heard(self) -> list[int]:
        """The numbers of all records it was told of, once nothing is on its way."""
        if (sending := self.outside._thread) is not None:
            sending.join()
        return [json.loads(line)["seq"] for line in self._file.read_bytes().splitlines()]

    def a_minute_passes(self) -> None:
        self.outside._last -= OUTSIDE_SECONDS


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path / "elsewhere")


def test_the_last_record_is_told_though_no_other_follows(archive: Archive, elsewhere: Elsewhere) -> None:
    with archive.trail(outside=elsewhere.outside) as trail:
        trail.tell_outside()  # there is nothing yet
        first, second = event(trail), event(trail)
        assert elsewhere.heard() == [first]
        trail.tell_outside()
        assert elsewhere.heard() == [first], "once a minute"
        elsewhere.a_minute_passes()
        trail.tell_outside()
        assert elsewhere.heard() == [first, second]
        elsewhere.a_minute_passes()
        trail.tell_outside()
        assert elsewhere.heard() == [first, second], "it knows"


def test_what_another_process_wrote_is_told_too(archive: Archive, elsewhere: Elsewhere) -> None:
    """Whoever wrote it may have been killed; and it may have made a new key."""
    with archive.trail(outside=elsewhere.outside) as trail, archive.trail() as other:
        event(other)
        other.rotate()
        last = event(other)
        trail.tell_outside()
        assert elsewhere.heard() == [last]


def test_a_command_that_failed_is_tried_again(archive: Archive, tmp_path: Path) -> None:
    elsewhere = Elsewhere(tmp_path / "elsewhere", status=1)
    with archive.trail(outside=elsewhere.outside) as trail:
        only = event(trail)
        assert elsewhere.heard() == [only]
        elsewhere.a_minute_passes()
        trail.tell_outside()
        assert elsewhere.heard() == [only, only]


def test_pruning_lets_others_in_between_steps_and_stops_when_told(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.audit.prune._AT_ONCE", 4)
    archive.fill(8)
    rests: list[float] = []

    def rest(seconds: float) -> bool:
        rests.append(seconds)
        event(trail)  # would wait for ever, were a transaction under way in this thread
        return len(rests) == 2

    with archive.trail() as trail:
        assert prune(trail, keep_days=0, keep_bytes=MOST, rest=rest).records == 8
        assert all(seconds > 0 for seconds in rests)
        assert archive.verify().ok
        assert prune(trail, keep_days=0, keep_bytes=MOST).records > 8, "the next call does what is left"
    assert archive.verify().ok


def test_code_that_is_named_again_meanwhile_stays(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.audit.prune._BLOBS_AT_ONCE", 1)
    skills = [skill_of(f"x = {number}\n") for number in range(3)]

    def intend(trail: AuditTrail, **more: Any) -> None:
        for skill in skills:
            trail.intent("r", skill, {}, allowed(), principal="", image_id="", **more)

    def rest(_seconds: float) -> bool:
        intend(trail)
        return False

    with archive.trail() as trail:
        intend(trail)
        event(trail)
        days_later = time.time_ns() // 1000 + 2 * UNENDED_SECONDS * 10**6  # the runs were interrupted
        done = prune(trail, keep_days=0, keep_bytes=MOST, now_us=days_later, rest=rest)
        assert done.blobs == 1, "the first, before anybody came"
    assert archive.verify().ok
