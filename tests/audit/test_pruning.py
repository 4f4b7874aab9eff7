"""What pruning keeps: as much as was asked for, runs that have not ended, and what kept records name."""

from __future__ import annotations

import pytest

from orchestrator.audit import records
from orchestrator.audit.prune import UNENDED_SECONDS, prune
from orchestrator.audit.query import Reader
from orchestrator.audit.records import Blob, canonical
from orchestrator.audit.trail import AuditTrail
from tests.audit.conftest import Archive, allowed, result_of, skill_of

MOST = 10**12


def record(trail: AuditTrail, number: int, code: str = "def main():\n    pass\n") -> None:
    intend(trail, f"r{number}", code)
    trail.outcome(result_of(f"r{number}"))


def intend(trail: AuditTrail, run_id: str, code: str = "def main():\n    pass\n") -> None:
    trail.intent(run_id, skill_of(code), {}, allowed(), principal="anna", image_id="")


def numbers(archive: Archive) -> list[int]:
    return [each.seq for each in archive.rows("SELECT seq FROM audit_records ORDER BY seq")]


def kept_bytes(archive: Archive) -> int:
    """Of records and blobs, as the bound counts them."""
    rows = archive.rows("SELECT sum(length(body) + 600) AS n FROM audit_records")[0].n
    return int(rows + (archive.rows("SELECT sum(length(content)) AS n FROM audit_blobs")[0].n or 0))


def test_large_code_costs_the_runs_that_ran_it_and_no_others(archive: Archive) -> None:
    with archive.trail() as trail:
        for number in range(20):
            record(trail, number, f"x = {number}\n" + f"# {'large ' * 1000}\n")
        blobs = archive.rows("SELECT sum(length(content)) AS n FROM audit_blobs")[0].n
        before = kept_bytes(archive)
        done = prune(trail, keep_days=1, keep_bytes=blobs - 1000)
        assert 0 < done.records < 20, "a few of 40 take the rest below the bound"
        assert before // 2 < kept_bytes(archive) <= blobs
    assert archive.verify().ok


def test_code_that_all_ran_counts_once(archive: Archive) -> None:
    with archive.trail() as trail:
        for number in range(10):
            record(trail, number, f"# {'large ' * 3000}\n")
        assert prune(trail, keep_days=1, keep_bytes=kept_bytes(archive)).records == 0
        assert 0 < prune(trail, keep_days=1, keep_bytes=kept_bytes(archive) - 1).records < 3
    assert archive.verify().ok


def test_a_run_that_has_not_ended_keeps_its_intent(archive: Archive) -> None:
    with archive.trail() as trail:
        record(trail, 1)
        intend(trail, "under way")
        for number in range(2, 5):
            record(trail, number)
        assert prune(trail, keep_days=0, keep_bytes=0).through == 2
        assert numbers(archive)[0] == 3
        trail.outcome(result_of("under way"))
        assert prune(trail, keep_days=0, keep_bytes=0).through >= 9
    assert archive.verify().ok


def test_an_interrupted_one_goes_in_the_end(archive: Archive) -> None:
    with archive.trail() as trail:
        intend(trail, "interrupted")
        record(trail, 1)
        at_us = archive.rows("SELECT at_us FROM audit_records WHERE seq = 1")[0].at_us
        later = at_us + UNENDED_SECONDS * 10**6
        assert prune(trail, keep_days=0, keep_bytes=0, now_us=later - 1).records == 0
        assert prune(trail, keep_days=0, keep_bytes=0, now_us=later).through == 2


def test_the_rules_of_an_earlier_release_stay_while_a_run_names_them(archive: Archive) -> None:
    earlier = Blob.of(canonical({"format": records.FORMAT, "rules": ["ORC101", "ORC102"]}).encode())
    with archive.trail() as trail:
        record(trail, 0)
        current, trail.rules = trail.rules, earlier
        record(trail, 1, "x = 1\n")
        trail.rules = current
        record(trail, 2, "x = 2\n")
        assert prune(trail, keep_days=1, keep_bytes=kept_bytes(archive) - 1).through == 1
        run = Reader(archive.database).show("r1")
        assert run is not None
        assert run.passed == ("ORC101", "ORC102")
        prune(trail, keep_days=0, keep_bytes=0)
        names = {each.sha256 for each in archive.rows("SELECT sha256 FROM audit_blobs")}
        assert names == {current.sha256}, "no run names the others any more; the next one needs this"
    assert archive.verify().ok


def test_the_rules_of_a_run_that_is_recorded_meanwhile_stay(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a process of an earlier release that still runs, say. Their blob is there, and nobody named it."""
    monkeypatch.setattr("orchestrator.audit.prune._BLOBS_AT_ONCE", 1)
    blobs = (Blob.of(canonical({"format": records.FORMAT, "rules": [f"ORC{n}"]}).encode()) for n in range(10_000))
    earlier = next(blob for blob in blobs if blob.sha256.startswith("ff"))  # so it is not the first one that goes

    def rest(_seconds: float) -> bool:
        with archive.trail() as other:
            other.rules = earlier
            record(other, 5, "x = 5\n")
        return False

    with archive.trail() as trail:
        current, trail.rules = trail.rules, earlier
        record(trail, 0)
        trail.rules = current
        prune(trail, keep_days=0, keep_bytes=0, rest=rest)
    run = Reader(archive.database).show("r5")
    assert run is not None
    assert run.passed
    assert archive.verify().ok
