"""What an orchestrator tells its operator by itself: a trail that cannot be written, a pool that cannot serve."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator, RecordsError, Settings, Status
from orchestrator.alerts import Alert
from orchestrator.alerts.journal import recent
from orchestrator.errors import EngineUnavailable, PostureError
from orchestrator.image.model import BuiltImage
from orchestrator.pool.troubles import LASTS_SECONDS, QUIET_SECONDS
from orchestrator.records import Database
from orchestrator.records.database import FILE_NAME
from orchestrator.testing import Answer, FakeEngine
from tests.core.conftest import manifest

DEADLINE = 30.0
Make = Callable[..., Settings]
ONE = manifest("def main():\n    return 1\n", name="told")


def fake() -> FakeEngine:
    return FakeEngine(on_job=lambda job: Answer(result=b"V1"))


class Told:
    """The alerts that a command got. Read them when the orchestrator is closed: it has sent all by then."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.command = ("/bin/sh", "-c", f"cat >> '{file}'; echo >> '{file}'")

    def all(self) -> list[dict[str, Any]]:
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [json.loads(line) for line in lines if line]

    def rules(self) -> list[tuple[str, str]]:
        return [(each["kind"], each["rule"]) for each in self.all()]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path / "alerts")


@pytest.fixture
def make(image: BuiltImage, state_dir: Path, tmp_path: Path, told: Told) -> Make:
    """Settings with a state directory of the test's own, where the image of the session is known."""
    own = tmp_path / "state"
    own.mkdir(mode=0o700)
    shutil.copy(state_dir / "image.json", own)

    def made(**changes: Any) -> Settings:
        cold = {"strict": 0, "standard": 0, "relaxed": 0}
        return Settings(**{"state_dir": own, "warm_targets": cold, "alert_command": told.command, **changes})

    return made


@contextmanager
def nothing_can_be_written(settings: Settings) -> Iterator[None]:
    """The database refuses: another program altered its schema."""
    with closing(sqlite3.connect(settings.state_dir / FILE_NAME)) as other:
        other.execute("ALTER TABLE audit_records RENAME TO audit_away")
        yield
        other.execute("ALTER TABLE audit_away RENAME TO audit_records")


# --- the audit trail


def test_a_run_that_cannot_be_put_on_record_is_told_and_does_not_start(make: Make, told: Told) -> None:
    settings, engine = make(), fake()
    with Orchestrator(settings, engine=engine) as orchestrator:
        with nothing_can_be_written(settings):
            for _ in range(3):
                with pytest.raises(RecordsError):
                    orchestrator.run(ONE)
        assert engine.called("create") == 0
        assert orchestrator.run(ONE).ok
    [alert] = told.all()
    assert (alert["kind"], alert["rule"], alert["skill"]) == ("audit", "intent", "")
    assert len(alert["run_id"]) == 16
    assert alert["message"].startswith("a run could not be put on record, so it did not start: the records ")


def test_a_database_that_another_program_holds_is_told(make: Make, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make()
    impatient = Database(settings.state_dir / FILE_NAME, busy_seconds=0.05)
    monkeypatch.setattr(Database, "of", lambda settings: impatient)  # the real one waits ten seconds for the lock
    with (
        Orchestrator(settings, engine=fake()) as orchestrator,
        closing(sqlite3.connect(settings.state_dir / FILE_NAME, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordsError, match="locked"):
            orchestrator.run(ONE)
        other.execute("ROLLBACK")
    assert told.rules() == [("audit", "intent")]


def test_an_outcome_that_cannot_be_put_on_record_is_told_and_goes_through(make: Make, told: Told) -> None:
    settings = make()
    with Orchestrator(settings, engine=fake()) as orchestrator:
        with Refusing(settings) as broken, pytest.raises(RecordsError):
            orchestrator.run(ONE, on_event=lambda event: broken.begin() if event.kind == "started" else None)
        assert orchestrator.run(ONE).ok
    [alert] = told.all()
    assert (alert["kind"], alert["rule"]) == ("audit", "outcome")
    assert alert["message"].startswith("what a run came to could not be put on record: ")


class Refusing:
    """``nothing_can_be_written`` from ``begin`` on."""

    def __init__(self, settings: Settings) -> None:
        self._broken = nothing_can_be_written(settings)
        self._begun = False

    def begin(self) -> None:
        self._begun = True
        self._broken.__enter__()

    def __enter__(self) -> Refusing:
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._begun
        self._broken.__exit__(None, None, None)


def test_how_a_run_broke_off_that_cannot_be_put_on_record_is_told(make: Make, told: Told) -> None:
    class Broken(Exception):  # noqa: N818 - the caller's own
        pass

    settings = make()
    with Orchestrator(settings, engine=fake()) as orchestrator, Refusing(settings) as broken:

        def on_event(event: Any) -> None:
            broken.begin()
            raise Broken

        with pytest.raises(Broken):
            orchestrator.run(ONE, on_event=on_event)
    assert told.rules() == [("audit", "broke")]


def test_an_end_of_the_trail_that_cannot_be_noted_is_told(make: Make, told: Told, tmp_path: Path) -> None:
    anchors = tmp_path / "anchors"
    with Orchestrator(make(audit_anchor_file=anchors), engine=fake()) as orchestrator:
        orchestrator.audit.event("test.noted")  # returns when it is
        anchors.rename(tmp_path / "away")
        anchors.mkdir()
        orchestrator.audit.event("test.unnoted")
        with pytest.raises(RecordsError):
            orchestrator.run(ONE)
        anchors.rmdir()
        (tmp_path / "away").rename(anchors)
        assert orchestrator.run(ONE).ok
    assert told.rules() == [("audit", "trail"), ("audit", "intent")]
    assert "the audit trail's end was not noted" in told.all()[0]["message"]


def test_also_when_it_opens_and_when_it_closes(make: Make, told: Told, tmp_path: Path) -> None:
    anchors = tmp_path / "anchors"
    settings = make(audit_anchor_file=anchors, alert_interval_seconds=0)
    with Orchestrator(settings, engine=fake()) as orchestrator:
        orchestrator.audit.event("test.noted")
        anchors.unlink()
        anchors.mkdir()
    assert told.rules() == [("audit", "trail")]
    with pytest.raises(RecordsError):
        Orchestrator(settings, engine=fake())
    assert told.rules() == [("audit", "trail")] * 2


def test_a_channel_that_fails_changes_nothing_of_this(make: Make, told: Told) -> None:
    settings = make(alert_command=("/does/not/exist",))
    with Orchestrator(settings, engine=fake()) as orchestrator:
        with nothing_can_be_written(settings), pytest.raises(RecordsError):
            orchestrator.run(ONE)
        assert orchestrator.run(ONE).ok


def test_a_database_that_is_away_at_the_end_leaves_no_claim_and_hides_no_error(make: Make) -> None:
    settings = make()
    file = settings.state_dir / FILE_NAME

    def lose_it(error: Exception | None) -> None:
        with Orchestrator(settings, engine=fake()) as orchestrator:
            assert orchestrator.run(ONE).ok
            file.rename(file.with_suffix(".away"))
            if error is not None:
                raise error

    for error, seen in ((KeyError("mine"), KeyError), (None, RecordsError)):
        with pytest.raises(seen):
            lose_it(error)
        assert list((settings.state_dir / "instances").iterdir()) == []
        file.with_suffix(".away").rename(file)


# --- over several processes


def test_orchestrators_one_after_another_tell_what_is_alike_once_and_it_is_noted(make: Make, told: Told) -> None:
    fails = manifest("def main():\n    raise ValueError\n", name="fails", on_error="alert")
    settings, engine = make(), FakeEngine(on_job=lambda job: Answer(result=None, final={"exit_code": 1}))
    for _ in range(3):
        with Orchestrator(settings, engine=engine) as orchestrator:
            assert orchestrator.run(fails).status is Status.FAILED
    assert told.rules() == [("run_failed", "failed")]
    with Database(settings.state_dir / FILE_NAME) as database:
        [entry] = recent(database)
    assert (entry.kind, entry.skill, entry.suppressed, entry.delivered) == ("run_failed", "fails@1.0.0", 2, True)


def test_alerts_leave_while_the_journal_cannot_be_written(make: Make, told: Told) -> None:
    settings = make()
    with Orchestrator(settings, engine=fake()) as orchestrator:
        with closing(sqlite3.connect(settings.state_dir / FILE_NAME)) as other:
            other.execute("ALTER TABLE alerts RENAME TO alerts_away")
        orchestrator.alerts.send(Alert("program", "the backup is old", rule="backup"))
        assert orchestrator.run(ONE).ok
    [alert] = told.all()
    assert (alert["kind"], alert["rule"], alert["message"]) == ("program", "backup", "the backup is old")


# --- the pool

STEP = 6.0  # seconds; longer than any pause between two attempts


class Later:
    """The pool's clock, moved on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


def test_an_engine_that_is_away_for_a_minute_is_told_and_that_it_is_back(make: Make, told: Told) -> None:
    engine, clock = fake(), Later()
    with Orchestrator(make(warm_targets={"standard": 1, "strict": 0, "relaxed": 0}), engine=engine) as orchestrator:
        orchestrator.prime()
        pool = orchestrator._pools
        pool._clock = clock
        engine.down = True
        engine.end_all()
        with pytest.raises(EngineUnavailable):
            orchestrator.run(ONE)
        for _ in range(int(LASTS_SECONDS / STEP) + 2):
            before = pool.stats().create_failures_total
            clock.ahead += STEP
            pool.tick()
            pool.wait_until(lambda now, n=before: now.create_failures_total > n and not now.starting, DEADLINE)  # type: ignore[misc]
        pool.tick()
        engine.down = False
        clock.ahead += STEP
        orchestrator.prime()
        assert orchestrator.run(ONE).ok
        clock.ahead += QUIET_SECONDS
        pool.tick()
    assert told.rules() == [("pool_degraded", "engine"), ("pool_recovered", "engine")]
    assert "EngineUnavailable" in told.all()[0]["message"]


def test_a_sandbox_that_is_not_as_asked_is_told_at_once(make: Make, told: Told) -> None:
    engine = FakeEngine(on_posture=lambda posture: posture | {"seccomp": 0})
    warm = {"standard": 2, "strict": 0, "relaxed": 0}
    with Orchestrator(make(warm_targets=warm), engine=engine) as orchestrator:
        for _ in range(3):
            with pytest.raises(PostureError):
                orchestrator.run(ONE)
        orchestrator._pools.tick()
    assert told.rules() == [("pool_degraded", "creations standard")]
    assert told.all()[0]["message"].startswith("sandboxes of level standard cannot be made: PostureError: ")
