"""The trail as its callers see it: what is durable when, several threads and processes, keys, anchors, pruning."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from orchestrator.audit import key as keys
from orchestrator.audit import records
from orchestrator.audit.anchors import Outside
from orchestrator.audit.prune import prune
from orchestrator.audit.query import INTERRUPTED, RUNNING, Reader, Wanted
from orchestrator.errors import EngineError, SandboxError
from orchestrator.policy.decision import Decision
from orchestrator.records import Database, RecordsError
from orchestrator.results.model import Status
from orchestrator.validation.finding import Finding
from tests.audit.conftest import Archive, allowed, result_of, skill_of

MOST = 10**12


def intend(trail: Any, run_id: str, **more: Any) -> int:
    given = {"principal": "anna", "image_id": "sha256:1", **more}
    return int(trail.intent(run_id, skill_of(), {"x": 1}, allowed(), **given))


def test_a_record_is_committed_when_the_call_returns(archive: Archive) -> None:
    with archive.trail() as trail:
        assert intend(trail, "r1") == 1
        with Database(archive.where) as other, other.reading() as connection:
            found = connection.execute(text("SELECT kind, run_id, principal FROM audit_records")).fetchall()
        assert [tuple(each) for each in found] == [("intent", "r1", "anna")]
        assert trail.outcome(result_of("r1")) == 2


def test_threads_share_transactions_and_lose_nothing(archive: Archive) -> None:
    with archive.trail() as trail, ThreadPoolExecutor(8) as pool:

        def run(number: int) -> None:
            intend(trail, f"r{number}")
            trail.outcome(result_of(f"r{number}"))

        list(pool.map(run, range(120)))
    verdict = archive.verify()
    assert verdict.ok
    assert verdict.records == 240
    assert verdict.anchors <= 240
    counted = archive.rows("SELECT run_id, count(DISTINCT kind) AS n FROM audit_records GROUP BY run_id")
    assert len(counted) == 120
    assert {each.n for each in counted} == {2}


def test_who_waits_is_written_by_who_leads(archive: Archive) -> None:
    """The leader is held inside its transaction until others wait; they all come with the next one."""
    inside, release = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        inside.set()
        assert release.wait(30)

    with archive.trail() as trail, ThreadPoolExecutor(6) as pool:
        first = pool.submit(trail.event, "held", also=hold)
        assert inside.wait(30)
        others = [pool.submit(trail.event, f"waits.{name}") for name in "abcde"]
        while len(trail._writing._waiting) < 5:
            threading.Event().wait(0.001)
        release.set()
        assert first.result() == 1
        assert sorted(each.result() for each in others) == [2, 3, 4, 5, 6]
        lines = archive.anchors.path.read_bytes().splitlines()
    noted = {json.loads(each)["seq"] for each in lines}
    assert {6} <= noted <= {0, 1, 6}  # two transactions; they may share an anchor


def test_one_that_spoils_the_transaction_does_not_spoil_the_others(archive: Archive) -> None:
    inside, release = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        inside.set()
        assert release.wait(30)

    def spoil(connection: Connection) -> None:
        connection.execute(text("INSERT INTO no_such_table VALUES (1)"))

    with archive.trail() as trail, ThreadPoolExecutor(6) as pool:
        first = pool.submit(trail.event, "held", also=hold)
        assert inside.wait(30)
        good = [pool.submit(trail.event, "good") for _ in range(3)]
        bad = pool.submit(trail.event, "bad", also=spoil)
        while len(trail._writing._waiting) < 4:
            threading.Event().wait(0.001)
        release.set()
        assert sorted([first.result(), *(each.result() for each in good)]) == [1, 2, 3, 4]
        with pytest.raises(RecordsError):
            bad.result()
    found = archive.rows("SELECT status FROM audit_records ORDER BY seq")
    assert [each.status for each in found] == ["held", "good", "good", "good"]
    assert archive.verify().ok


def test_also_is_stored_with_the_outcome_or_not_at_all(archive: Archive) -> None:
    archive.sql("CREATE TABLE tally (run_id TEXT)")

    def count(connection: Connection) -> None:
        connection.execute(text("INSERT INTO tally VALUES ('r1')"))

    def fail(connection: Connection) -> None:
        count(connection)
        raise RecordsError("on purpose")

    with archive.trail() as trail:
        with pytest.raises(RecordsError, match="on purpose"):
            trail.outcome(result_of("r1"), also=fail)
        assert archive.rows("SELECT * FROM tally") == archive.rows("SELECT * FROM audit_records") == []
        trail.outcome(result_of("r1"), also=count)
    assert len(archive.rows("SELECT * FROM tally")) == len(archive.rows("SELECT * FROM audit_records")) == 1


def test_two_trails_on_one_database_make_one_chain(archive: Archive) -> None:
    with archive.trail() as one, archive.trail() as other:
        for number in range(10):
            intend(one if number % 2 else other, f"r{number}")
    assert archive.verify().ok
    assert archive.verify().records == 10


def test_what_cannot_be_written_stops_the_run(archive: Archive) -> None:
    with archive.trail() as trail:
        archive.sql("DROP TABLE audit_records")
        with pytest.raises(RecordsError):
            intend(trail, "r1")
        archive.anchors.path.unlink(missing_ok=True)


def test_a_closed_trail_takes_nothing(archive: Archive) -> None:
    trail = archive.trail()
    trail.close()
    trail.close()
    with pytest.raises(RecordsError, match="closed"):
        intend(trail, "r1")


# --- runs ----------------------------------------------------------------------------------------------------------


def test_a_run_without_an_outcome_is_interrupted(archive: Archive) -> None:
    with archive.trail(instance="me") as trail:
        intend(trail, "gone")
        intend(trail, "done")
        trail.outcome(result_of("done"))
    reader = Reader(archive.database)
    states = {each.run_id: each.state for each in reader.search(Wanted(), 10)}
    assert states == {"gone": INTERRUPTED, "done": "succeeded"}
    assert [each.run_id for each in reader.search(Wanted(state=INTERRUPTED), 10)] == ["gone"]
    alive = Reader(archive.database, lambda instance: instance == "me")
    assert alive.search(Wanted(state=RUNNING), 10)[0].run_id == "gone"
    assert alive.search(Wanted(state=INTERRUPTED), 10) == []


def test_search(archive: Archive) -> None:
    finding = Finding("ORC101", "os", "import of os")
    denied = Decision(False, "strict", "b" * 64, violations=(finding,))
    with archive.trail() as trail:
        trail.intent("r1", skill_of(), {}, denied, principal="anna", session="s1", image_id="")
        trail.outcome(result_of("r1", status=Status.DENIED, violations=(finding,)))
        trail.intent("r2", skill_of(name="other-100%"[:5]), {}, allowed(), principal="berta", image_id="")
        trail.outcome(result_of("r2", skill="other@1.0.0", status=Status.FAILED))
    reader = Reader(archive.database)

    def found(**wanted: Any) -> list[str]:
        return [each.run_id for each in reader.search(Wanted(**wanted), 10)]

    assert found() == ["r2", "r1"]
    assert found(skill="sums") == found(skill="sums@1.0.0") == found(state="denied") == ["r1"]
    assert found(principal="berta") == found(state="failed") == found(skill="other") == ["r2"]
    assert found(session="s1") == found(rule="ORC101") == ["r1"]
    assert found(rule="ORC999") == found(skill="sum") == found(skill="%") == []
    at = archive.rows("SELECT at_us FROM audit_records WHERE seq = 3")[0].at_us
    assert found(since_us=at) == ["r2"]
    assert found(until_us=at) == ["r1"]


def test_show_says_everything(archive: Archive) -> None:
    finding = Finding("ORC101", "os", "import of os", line=3, column=1)
    denied = Decision(False, "strict", "b" * 64, violations=(finding,))
    skill = skill_of("import os\n")
    with archive.trail() as trail:
        trail.intent("r1", skill, {"x": 1}, denied, principal="anna", image_id="sha256:9")
        trail.event("review.rejected", run_id="r1", principal="berta", facts={"comment": "no"})
    run = Reader(archive.database).show("r1")
    assert run is not None
    assert run.intent is not None
    assert run.code == "import os\n"
    assert run.manifest["name"] == "sums"
    assert "code" not in run.manifest
    assert run.intent.body["checks"]["failed"] == [
        {"rule": "ORC101", "severity": "error", "line": 3, "column": 1, "subject": "os"}
    ]
    assert "ORC101" not in run.passed
    assert "ORC102" in run.passed
    assert run.intent.body["image_id"] == "sha256:9"
    assert run.events[0].body == {"action": "review.rejected", "facts": {"comment": "no"}, "format": 1}
    assert Reader(archive.database).show("unknown") is None


@pytest.mark.parametrize(
    ("error", "text_kept"),
    [(EngineError("no engine"), True), (SandboxError("said: note"), False), (KeyError("x"), False)],
)
def test_a_call_that_raised(archive: Archive, error: Exception, text_kept: bool) -> None:
    with archive.trail() as trail:
        intend(trail, "r1")
        trail.raised("r1", "sums@1.0.0", error)
    run = Reader(archive.database).show("r1")
    assert run is not None
    assert run.outcome is not None
    assert run.state == records.RAISED
    assert run.outcome.body["error"]["type"] == type(error).__name__
    assert ("text" in run.outcome.body["error"]) is text_kept


def test_the_same_code_is_stored_once(archive: Archive) -> None:
    archive.fill(5)
    assert archive.rows("SELECT count(*) AS n FROM audit_blobs")[0].n == 3  # code, manifest, rules


def test_a_wild_time_out_is_recorded_too(archive: Archive) -> None:
    from dataclasses import replace

    skill = skill_of()
    odd = replace(skill, limits=replace(skill.limits, wall_seconds=float("inf")))
    with archive.trail() as trail:
        trail.intent("r1", odd, {}, Decision(False, "strict", ""), principal="", image_id="")
    run = Reader(archive.database).show("r1")
    assert run is not None
    assert run.manifest["limits"]["wall_us"] == "inf"


# --- keys and anchors ----------------------------------------------------------------------------------------------


def test_private_files(archive: Archive) -> None:
    archive.fill(1)
    for path in (archive.key_path, archive.anchors.path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["audit.key", "audit.anchors"])
@pytest.mark.parametrize("how", ["open", "link", "fifo", "directory"])
def test_files_that_are_not_ours_alone_are_refused(archive: Archive, name: str, how: str) -> None:
    archive.fill(1)
    path = archive.home / name
    if how == "open":
        path.chmod(0o640)
    else:
        path.rename(archive.home / "real")
        if how == "link":
            path.symlink_to(archive.home / "real")
        elif how == "fifo":
            os.mkfifo(path, 0o600)
        else:
            path.mkdir(mode=0o700)
    with pytest.raises(RecordsError):
        archive.trail()
    with pytest.raises(RecordsError):
        archive.verify()


_KEY = b"key " + b"0" * 64


@pytest.mark.parametrize("content", [b"", b"key 00\n", _KEY, b"\xff\n", _KEY + b"\nmore\n"])
def test_a_damaged_key_file_is_refused(archive: Archive, content: bytes) -> None:
    archive.key_path.write_bytes(content)
    archive.key_path.chmod(0o600)
    with pytest.raises(RecordsError, match="damaged"):
        archive.trail()


def test_rotation(archive: Archive) -> None:
    archive.fill(2)
    with archive.trail() as trail:
        former = keys.load(archive.key_path).newest.id
        new = trail.rotate()
        assert new != former
        archive.fill(2, first=2, trail=trail)
    archive.fill(2, first=4)
    assert archive.verify().ok
    used = [each.key_id for each in archive.rows("SELECT key_id FROM audit_records ORDER BY seq")]
    assert used == [former] * 5 + [new] * 8


def test_another_process_rotates(archive: Archive) -> None:
    with archive.trail() as one, archive.trail() as other:
        intend(one, "r1")
        other.rotate()
        intend(one, "r2")
    assert archive.verify().ok


def test_a_crash_in_the_middle_of_a_rotation(archive: Archive) -> None:
    archive.fill(1)
    keys.add(archive.key_path)  # and then it died
    archive.fill(1, first=1)
    assert archive.verify().ok


def test_a_retired_key_seals_nothing(archive: Archive) -> None:
    archive.fill(1)
    former = keys.load(archive.key_path).newest
    with archive.trail() as trail:
        trail.rotate()
    archive.fill(2, first=1)
    row = dict(archive.rows("SELECT * FROM audit_records WHERE seq = 6")[0]._mapping)
    row |= {"status": "denied", "key_id": former.id}
    from orchestrator.audit.chain import SEALED, seal

    row["mac"] = seal(former.records, [str(row[name]).encode() for name in SEALED])
    archive.sql("UPDATE audit_records SET status = :status, key_id = :key_id, mac = :mac WHERE seq = 6", **row)
    assert ("edited", 6, 6) in archive.faults()


def test_no_anchor_no_run(archive: Archive) -> None:
    with archive.trail() as trail:
        trail.settled(intend(trail, "r1"))
        archive.anchors.path.chmod(0o644)
        trail.settled(intend(trail, "r2"))  # was written before anybody could know
        with pytest.raises(RecordsError, match="anchor"):
            intend(trail, "r3")
        trail.outcome(result_of("r1"))  # what has run is still recorded
        archive.anchors.path.chmod(0o600)
        intend(trail, "r3")
    assert archive.verify().ok
    assert archive.verify().records == 4


def test_thinning_keeps_the_newest_anchors(archive: Archive) -> None:
    archive.fill(600)
    before = archive.verify()
    trail = archive.trail()
    trail.thin_anchors(1)
    trail.close()
    after = archive.verify()
    assert after.ok
    assert after.anchors < before.anchors
    archive.sql("DELETE FROM audit_records WHERE seq > 700", "DELETE FROM audit_head")
    assert ("restored", 701, 1200) in archive.faults()


def test_a_command_gets_the_end_of_the_chain(archive: Archive, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    script = f"import sys; open({str(target)!r}, 'ab').write(sys.stdin.buffer.read())"
    outside = Outside((sys.executable, "-c", script))
    archive.fill(3, trail=(trail := archive.trail(outside=outside)))
    trail.close()
    lines = target.read_bytes()
    assert lines.count(b"\n") == 2  # the first, and at the end
    restore = archive.copy_tables()
    archive.fill(2, first=3)
    restore()
    archive.anchors.path.write_bytes(b"")
    assert archive.verify(more=lines).ok
    archive.sql("DELETE FROM audit_records WHERE seq > 4", "DELETE FROM audit_head")
    assert ("restored", 5, 6) in archive.faults(more=b"Nov 24 host skill-orchestrator audit " + lines.splitlines()[-1])


@pytest.mark.parametrize("command", [("/no/such/program",), (sys.executable, "-c", "import sys; sys.exit(3)")])
def test_a_command_that_fails_fails_no_run(archive: Archive, command: tuple[str, ...]) -> None:
    with archive.trail(outside=Outside(command)) as trail:
        intend(trail, "r1")
    assert archive.verify().ok


# --- pruning -------------------------------------------------------------------------------------------------------


def test_pruning_by_age_keeps_the_chain_verifiable(archive: Archive) -> None:
    archive.fill(5)
    with archive.trail() as trail:
        trail.intent("old", skill_of("x = 1\n"), {}, allowed(), principal="", image_id="")
        cut = archive.rows("SELECT max(seq) AS n FROM audit_records")[0].n
        archive.fill(3, first=100, trail=trail)
        first_kept = archive.rows(f"SELECT at_us FROM audit_records WHERE seq = {cut + 1}")[0].at_us
        done = prune(trail, keep_days=1, keep_bytes=MOST, now_us=first_kept + 86_400_000_000)
        assert done.records == done.through == cut
        assert done.blobs == 2  # the code and the manifest that only the old ones named
    verdict = archive.verify()
    assert verdict.ok
    assert verdict.first == cut + 1
    assert any("pruned" in note for note in verdict.notes)
    archive.fill(1, first=200)
    archive.sql(f"DELETE FROM audit_records WHERE seq = {cut + 1}")
    assert archive.faults() == [("deleted", 1, cut + 1)]


def test_pruning_by_size_and_again(archive: Archive) -> None:
    archive.fill(20)
    size = archive.rows("SELECT sum(length(body) + 600) AS n FROM audit_records")[0].n
    blobs = archive.rows("SELECT sum(length(content)) AS n FROM audit_blobs")[0].n
    with archive.trail() as trail:
        assert 15 <= prune(trail, keep_days=1, keep_bytes=blobs + size // 2).records <= 25
        assert prune(trail, keep_days=1, keep_bytes=MOST).records == 0
        archive.fill(5, first=50, trail=trail)
        assert prune(trail, keep_days=0, keep_bytes=0).records > 20
        assert len(archive.rows("SELECT seq FROM audit_records")) == 2  # the newest, and the checkpoint
    assert archive.verify().ok
    archive.fill(1, first=60)
    assert archive.verify().ok


def test_pruning_in_steps(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.audit.prune._AT_ONCE", 4)
    archive.fill(8)
    with archive.trail() as trail:
        assert prune(trail, keep_days=0, keep_bytes=MOST).records == 15
    assert archive.verify().ok
