"""``kill -9`` at random moments, over more than 300 runs of 8 threads: no run that started is lost or there twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter

from orchestrator.audit.query import INTERRUPTED, Reader, Wanted
from tests.audit.conftest import Archive
from tests.records.conftest import as_argument

RUNS = 300
KILLS = 5


def killed(archive: Archive, turn: int, lines: int) -> list[str]:
    """What a child said before it was killed, after at least so many ``lines``."""
    place = (as_argument(archive.where), str(archive.home))
    command = [sys.executable, "-m", "tests.audit.killed_child", *place, str(turn)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said = [child.stdout.readline().decode() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        said += [each.decode() for each in child.stdout.readlines()]
        assert child.wait(30) == -signal.SIGKILL
    return [each.strip() for each in said if each.endswith("\n")]


def test_no_run_is_lost(archive: Archive) -> None:
    chosen = random.Random(7)  # which lines; the machine decides between which instructions
    said: list[str] = []
    for turn in range(KILLS):
        said += killed(archive, turn, 2 * RUNS // KILLS + 60 + chosen.randrange(60))
    started = {each.removeprefix("started ") for each in said if each.startswith("started ")}
    ended = {each.removeprefix("ended ") for each in said if each.startswith("ended ")}
    assert len(started) >= RUNS

    rows = archive.rows("SELECT run_id, kind FROM audit_records")
    counted = Counter((each.kind, each.run_id) for each in rows)
    assert set(counted.values()) == {1}
    intents = {run_id for kind, run_id in counted if kind == "intent"}
    outcomes = {run_id for kind, run_id in counted if kind == "outcome"}
    assert started <= intents
    assert ended <= outcomes <= intents
    assert len(intents - started) <= KILLS * 8  # recorded, and killed before it could say so

    interrupted = {each.run_id for each in Reader(archive.database).search(Wanted(state=INTERRUPTED), 10**6)}
    assert interrupted == intents - outcomes
    archive.trail().close()  # the next start notes the end again
    verdict = archive.verify()
    assert (verdict.found, verdict.notes) == ([], [])
    assert verdict.records == len(rows)
