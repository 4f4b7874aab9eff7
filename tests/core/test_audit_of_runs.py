"""The audit trail of real runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from orchestrator import Orchestrator, Status
from orchestrator.audit import key
from orchestrator.audit.anchors import AnchorFile
from orchestrator.audit.evidence import peaks_of, skill_of
from orchestrator.audit.query import INTERRUPTED, Reader, Wanted
from orchestrator.audit.verify import Verdict, verify
from orchestrator.errors import PoolError
from orchestrator.records import Database
from orchestrator.settings import Settings
from tests.conftest import MakeSettings
from tests.core.conftest import manifest
from tests.support.secret_samples import CANARY

ECHO = "def main(**x):\n    print('said', x)\n    return x\n"
NOTE = "A\u00f1ejo: the lighthouse keeper buried the silver under the third step, and told nobody."
KILLED_RUNS, THREADS = 300, 8
CHILD = """
import os, sys, threading
from pathlib import Path
from orchestrator import Orchestrator, Settings
from tests.core.conftest import manifest
orchestrator = Orchestrator(Settings(state_dir=Path(sys.argv[1]), docker_host=sys.argv[2], warm_targets={"standard": 3,
    "strict": 0, "relaxed": 0}, max_containers=10))
def work():
    while True:
        result = orchestrator.run(manifest("def main():\\n    return 1\\n"), principal="anna")
        os.write(1, f"ended {result.run_id} {result.status}\\n".encode())
for _ in range(int(sys.argv[3])):
    threading.Thread(target=work).start()
"""


def checked(settings: Settings, database: Database) -> Verdict:
    anchors = AnchorFile(settings.audit_anchor_file or settings.state_dir / "audit.anchors")
    return verify(database, settings.state_dir / key.NAME, anchors)


def test_a_run_is_recorded(orchestrator: Orchestrator) -> None:
    trail = orchestrator.audit
    with orchestrator.session(runs=1) as session:
        result = orchestrator.run(manifest(ECHO), {"a": 1}, principal="anna", session=session)
    run = Reader(trail.database).show(result.run_id)
    assert run is not None
    assert run.intent is not None
    assert run.outcome is not None
    assert (run.state, run.intent.principal, run.intent.session) == ("succeeded", "anna", session.id)
    assert run.intent.seq < run.outcome.seq
    assert run.intent.body["image_id"] == result.image_id
    assert run.intent.body["sandbox"]["memory_bytes"] > 0
    assert run.outcome.body["usage"]["wall_us"] > 0
    assert run.code == ECHO


def test_a_policy_can_be_learnt_from_any_recorded_run(orchestrator: Orchestrator) -> None:
    code = "import json\ndef main(a):\n    return json.loads(str(a))\n"
    asked = manifest(code, limits={"wall_seconds": 7.5, "memory_mb": 64}, vault={"read": ["Inbox"]})
    run = Reader(orchestrator.audit.database).show(orchestrator.run(asked, {"a": 1}).run_id)
    assert run is not None
    skill = skill_of(run)
    assert skill is not None
    assert (skill.code, skill.limits.wall_seconds, skill.limits.memory_mb) == (code, 7.5, 64)
    assert skill.vault.read == ("Inbox",)
    assert 0 < peaks_of(run)["wall_seconds"] < 7.5
    assert peaks_of(run)["memory_mb"] > 1


def test_a_denied_run_has_both_records(orchestrator: Orchestrator) -> None:
    trail = orchestrator.audit
    result = orchestrator.run(manifest("import socket\ndef main():\n    return 1\n"))
    assert result.status is Status.DENIED
    run = Reader(trail.database).show(result.run_id)
    assert run is not None
    assert run.intent is not None
    assert (run.intent.status, run.state) == ("denied", "denied")
    assert run.intent.body["checks"]["failed"]


def test_nothing_starts_without_an_intent(make_settings: MakeSettings, tmp_path: Path) -> None:
    with Orchestrator(make_settings()) as orchestrator:
        trail = orchestrator.audit
        trail.close()
        with pytest.raises(Exception, match="closed"):
            orchestrator.run(manifest(ECHO))


def test_a_run_that_raised_has_an_outcome(make_settings: MakeSettings) -> None:
    with Orchestrator(make_settings(max_containers=1, max_waiting=0, acquire_timeout_seconds=0.01)) as orchestrator:
        trail = orchestrator.audit
        with pytest.raises(PoolError):
            orchestrator.run(manifest(ECHO))
        newest = Reader(trail.database).search(Wanted(), 1)[0]
        assert newest.state == "raised"


def test_no_secret_and_no_note_is_in_it(orchestrator: Orchestrator) -> None:
    """A canary in inputs, output, streams and error; a note's content in output, streams and error."""
    trail = orchestrator.audit
    orchestrator.run(manifest(ECHO), {"token": CANARY, "text": NOTE})
    orchestrator.run(manifest("def main(**x):\n    raise ValueError(x['text'])\n"), {"text": NOTE})
    with trail.database.reading() as connection:
        found = repr(connection.execute(text("SELECT * FROM audit_records")).fetchall())
    assert "lighthouse keeper" not in found


def test_killed_at_any_moment(make_settings: MakeSettings) -> None:
    settings = make_settings()
    command = [sys.executable, "-c", CHILD, str(settings.state_dir), str(settings.docker_host), str(THREADS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said = [child.stdout.readline().decode() for _ in range(KILLED_RUNS)]
        child.send_signal(signal.SIGKILL)
        said += [line.decode() for line in child.stdout.readlines()]
    ended = {line.split()[1] for line in said if line.startswith("ended") and line.endswith("\n")}
    with Orchestrator(settings) as orchestrator:
        trail = orchestrator.audit
        with trail.database.reading() as connection:
            rows = connection.execute(text("SELECT kind, run_id FROM audit_records WHERE run_id <> ''")).fetchall()
        counted = Counter((row.kind, row.run_id) for row in rows if row.kind in ("intent", "outcome"))
        assert set(counted.values()) == {1}
        intents = {run_id for kind, run_id in counted if kind == "intent"}
        outcomes = {run_id for kind, run_id in counted if kind == "outcome"}
        assert len(ended) >= KILLED_RUNS
        assert ended <= outcomes <= intents
        interrupted = {run.run_id for run in Reader(trail.database).search(Wanted(state=INTERRUPTED), 10**6)}
        assert interrupted == intents - outcomes
        assert len(interrupted) <= THREADS
        assert checked(settings, trail.database).ok
