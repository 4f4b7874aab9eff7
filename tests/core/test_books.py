"""What is kept of real runs, through ``Orchestrator`` alone: registry, sessions, recorded results, recovery, alerts,
metrics, dashboard, audit trail."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from loguru import logger
from typer.testing import CliRunner

from orchestrator import (
    Orchestrator,
    RecordsError,
    RegistryError,
    RunResult,
    SessionError,
    SkillManifest,
    Status,
    load_manifest,
)
from orchestrator.audit.query import Reader
from orchestrator.cli.app import app
from orchestrator.dashboard.region import BEGIN, END
from orchestrator.errors import EngineUnavailable
from orchestrator.memo import state as states
from orchestrator.records import Database
from orchestrator.registry.health import COOL_DOWN_SECONDS, FAILURES_IN_A_ROW
from orchestrator.testing import Answer, FakeEngine
from tests.conftest import MakeSettings, MakeVault
from tests.core.conftest import manifest

RAISES = "def main():\n    raise ValueError('a bug')\n"
COUNTS = "from pathlib import Path\ndef main():\n    return len(list(Path('/vault/Inbox').iterdir()))\n"
WRITES = "from pathlib import Path\ndef main():\n    Path('/vault/Inbox/new.md').write_text('new')\n"
HELD = {"vault": {"write": ["Inbox"]}, "review": {"always": True}}


def returning(value: Any, **more: Any) -> SkillManifest:
    return load_manifest(manifest(f"def main():\n    return {value!r}\n", **more))


def rules(result: RunResult) -> list[str]:
    return [each.rule for each in result.violations]


def deeds(orchestrator: Orchestrator, run_id: str) -> list[tuple[str, str]]:
    """Of that run in the audit trail: what was done, and by whom."""
    run = Reader(orchestrator.audit.database).show(run_id)
    assert run is not None
    return [(each.status, each.principal) for each in run.events]


# --- the registry ----------------------------------------------------------------------------------------------------


def test_a_skill_runs_by_its_name(orchestrator: Orchestrator) -> None:
    for version in ("1.2.3", "1.2.10", "1.3.0"):
        orchestrator.skills.register(returning(version, name="books-named", version=version))
    assert orchestrator.run("books-named@1.2").output == "1.2.10"
    assert orchestrator.run("books-named").output == "1.3.0"
    assert orchestrator.run("books-named@1.2.3").skill == "books-named@1.2.3"
    with pytest.raises(RegistryError):
        orchestrator.run("books-named@2")


def test_other_code_under_a_registered_name_is_refused(orchestrator: Orchestrator) -> None:
    orchestrator.skills.register(returning(1, name="books-fixed"))
    assert orchestrator.run(returning(1, name="books-fixed")).ok
    refused = orchestrator.run(returning(2, name="books-fixed"))
    assert (refused.status, rules(refused)) == (Status.DENIED, ["REG101"])
    assert orchestrator.run(returning(2, name="books-fixed", version="1.0.1")).output == 2


def test_a_skill_that_fails_again_and_again_is_stopped_and_told(make_settings: MakeSettings, tmp_path: Path) -> None:
    told = tmp_path / "alerts"
    command = ("/bin/sh", "-c", f"cat >> '{told}'; echo >> '{told}'")
    broken = load_manifest(manifest(RAISES, name="books-broken"))
    with Orchestrator(make_settings(alert_command=command)) as orchestrator:
        orchestrator.skills.register(broken)
        ended = [orchestrator.run(broken) for _ in range(FAILURES_IN_A_ROW)]
        assert {each.status for each in ended} == {Status.FAILED}
        refused = orchestrator.run(broken)
        assert (refused.status, rules(refused)) == (Status.DENIED, ["REG103"])
        assert orchestrator.run(returning(1, name="books-broken", version="1.0.1")).ok, "a corrected one may run"
        orchestrator.skills.enable("books-broken@1.0.0", by="anna")
        assert orchestrator.run(broken).status is Status.FAILED
    alerts = [json.loads(line) for line in told.read_text().splitlines() if line]
    quarantined = [each for each in alerts if each["kind"] == "quarantined"]
    assert [(each["skill"], each["run_id"]) for each in quarantined] == [("books-broken@1.0.0", ended[-1].run_id)]


def test_one_that_nobody_registered_is_only_counted(orchestrator: Orchestrator) -> None:
    """The control: who runs unregistered code has no name that could be taken from others."""
    ended = [orchestrator.run(manifest(RAISES, name="books-stray")) for _ in range(FAILURES_IN_A_ROW + 1)]
    assert {each.status for each in ended} == {Status.FAILED}
    [known] = orchestrator.skills.known("books-stray")
    assert known.standing.statistics.statuses == {"failed": FAILURES_IN_A_ROW + 1}


# --- the audit trail -------------------------------------------------------------------------------------------------


def test_nothing_lands_whose_intent_is_not_on_the_disk(
    make_settings: MakeSettings, make_vault: MakeVault, state_dir: Path, tmp_path: Path
) -> None:
    """The database's log is under another name: SQLite has it open, and what syncs it follows no link."""
    own, vault = tmp_path / "state", make_vault()
    own.mkdir(mode=0o700)
    shutil.copy(state_dir / "image.json", own)
    writes = manifest(WRITES, vault={"write": ["Inbox"]})
    settings = make_settings(vault=vault, state_dir=own)
    with Orchestrator(settings) as orchestrator:
        assert orchestrator.run(writes, commit=False).ok
        orchestrator.audit.event("test.settled")  # the sync of what is on record is over
        log = own / "records.db-wal"
        moved = log.rename(log.with_name("moved"))
        log.symlink_to(moved)
        with pytest.raises(RecordsError, match="cannot be opened"):
            orchestrator.run(writes)
        assert not (vault / "Inbox/new.md").exists()
        with pytest.raises(RecordsError, match="cannot be opened"):
            orchestrator.run(manifest("def main():\n    return 1\n"))
        moved.replace(log)
        newest = Reader(orchestrator.audit.database).tail(2)
        assert [each.status for each in newest] == ["allowed", "raised"]
    with Orchestrator(settings) as orchestrator:
        assert orchestrator.run(writes).ok
        assert (vault / "Inbox/new.md").exists()


# --- the registry's account -------------------------------------------------------------------------------------------


def test_what_becomes_of_skills_and_sessions_is_on_record(make_settings: MakeSettings) -> None:
    broken = load_manifest(manifest(RAISES, name="books-account"))
    with Orchestrator(make_settings()) as orchestrator:
        reader = Reader(orchestrator.audit.database)
        orchestrator.skills.register(broken, by="anna")
        ended = [orchestrator.run(broken) for _ in range(FAILURES_IN_A_ROW)]
        assert deeds(orchestrator, ended[-1].run_id) == [("skill.quarantined", "orchestrator")]
        orchestrator.skills.enable("books-account@1.0.0", by="anna")
        orchestrator.skills.disable("books-account@1.0.0", reason="no use", by="bert")
        session = orchestrator.session(runs=2, label="nightly")
        session.close()
        last = [(each.status, each.principal, each.session) for each in reader.tail(4)]
    assert last == [
        ("skill.enabled", "anna", ""),
        ("skill.disabled", "bert", ""),
        ("session.opened", "", session.id),
        ("session.closed", "", session.id),
    ]


def test_a_damaged_standing_loses_no_outcome(orchestrator: Orchestrator) -> None:
    told: list[str] = []
    skill = returning(1, name="books-damaged")
    assert orchestrator.run(skill).ok
    with orchestrator.audit.database.writing() as connection:
        damaged = "UPDATE skill_standings SET health = '{}x', statistics = '[]' WHERE name = 'books-damaged'"
        assert connection.exec_driver_sql(damaged).rowcount == 1
    sink = logger.add(lambda message: told.append(str(message).strip()), level="ERROR", format="{level} {message}")
    second = orchestrator.run(skill)
    logger.remove(sink)
    assert second.ok
    run = Reader(orchestrator.audit.database).show(second.run_id)
    assert run is not None
    assert run.state == "succeeded"
    assert deeds(orchestrator, second.run_id) == [("skill.standing_lost", "orchestrator")]
    assert told == ["ERROR health, statistics of books-damaged@1.0.0 could not be read in the records, and began anew"]
    [known] = orchestrator.skills.known("books-damaged")
    assert (known.standing.statistics.runs, known.standing.lost) == (1, ())


def test_what_followed_from_runs_is_pruned_once_a_day(make_settings: MakeSettings, tmp_path: Path) -> None:
    """A start does it, as upkeep does."""
    settings = make_settings(audit_days=1)
    event = "INSERT INTO skill_events (name, version, at, by, kind, detail) VALUES ('gone', '1.0.0', 1.0, '', ?, '{}')"
    with Database.of(settings) as database:
        for kind in ("trial", "disabled"):
            with database.writing() as connection:
                connection.exec_driver_sql(event, (kind,))
                connection.exec_driver_sql("DELETE FROM meta WHERE key = 'skills.prune'")
    for _ in range(2):
        with Orchestrator(settings) as orchestrator:
            assert [each.kind for each in orchestrator.skills.history("gone")] == ["disabled"]


# --- sessions --------------------------------------------------------------------------------------------------------


def test_a_session_ends_with_its_budget_in_any_process(make_settings: MakeSettings) -> None:
    skill = returning(1, name="books-session")
    with Orchestrator(make_settings()) as orchestrator, orchestrator.session(runs=2) as session:
        assert session.run(skill).ok
    with Orchestrator(make_settings()) as orchestrator:
        again = orchestrator.session(id=session.id)
        assert again.state().left.runs == 1
        assert again.run(skill).ok
        refused = again.run(skill)
        assert (refused.status, rules(refused)) == (Status.DENIED, ["SES101"])
        assert orchestrator.run(skill).ok, "the skill may run; it is the session that may not"
        run = Reader(orchestrator.audit.database).show(refused.run_id)
        assert run is not None
        assert run.intent is not None
        assert (run.intent.session, run.state) == (session.id, "denied")


def test_a_session_that_goes_on_takes_no_other_budget(orchestrator: Orchestrator) -> None:
    opened = orchestrator.session(runs=2, label="nightly")
    for more in ({"runs": 500}, {"wall_seconds": 9.0}, {"cpu_seconds": 1.0}, {"network_requests": 0}, {"label": "x"}):
        with pytest.raises(SessionError, match="keeps its budgets") as caught:
            orchestrator.session(id=opened.id, **more)
        assert "give its id alone" in caught.value.hint
    assert orchestrator.session(id=opened.id).state().left.runs == 2


# --- recorded results and recovery -----------------------------------------------------------------------------------


def test_a_pure_skill_is_answered_from_the_record(
    make_settings: MakeSettings, make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(states, "SETTLED_NS", -3600 * 10**9)  # the notes were just written
    vault = make_vault({"Inbox/a.md": "a"})
    document = manifest(COUNTS, name="books-pure", vault={"read": ["Inbox"]}, pure=True, cache={"ttl_seconds": 60})
    with Orchestrator(make_settings(vault=vault, cache_dir=tmp_path / "cache")) as orchestrator:
        first, second = orchestrator.run(document), orchestrator.run(document)
        assert (first.cached, second.cached, second.cached_run_id) == (False, True, first.run_id)
        assert first.output == second.output == 1
        assert second.usage.wall_seconds == 0
        assert not orchestrator.run(document, fresh=True).cached
        assert not orchestrator.run(document, commit=False).cached
        [known] = orchestrator.skills.known("books-pure")
        assert known.standing.statistics.runs == 3, "the recorded one is no run of the skill"
        run = Reader(orchestrator.audit.database).show(second.run_id)
        assert run is not None
        assert run.state == "succeeded"


def test_a_recorded_result_is_nobodys_trial(
    make_settings: MakeSettings, make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(states, "SETTLED_NS", -3600 * 10**9)  # the notes were just written
    code = "def main(fails=False):\n    if fails:\n        raise ValueError\n    return 1\n"
    pure = load_manifest(manifest(code, name="books-trial", pure=True, cache={"ttl_seconds": 60}))
    with Orchestrator(make_settings(vault=make_vault(), cache_dir=tmp_path / "cache")) as orchestrator:
        orchestrator.skills.register(pure)
        assert orchestrator.run(pure).ok
        for _ in range(FAILURES_IN_A_ROW):
            assert orchestrator.run(pure, {"fails": True}).status is Status.FAILED
        assert rules(orchestrator.run(pure)) == ["REG103"]
        orchestrator.skills._now = lambda: time.time() + COOL_DOWN_SECONDS
        recorded = [orchestrator.run(pure) for _ in range(2)]
        assert [(each.status, each.cached) for each in recorded] == [(Status.SUCCEEDED, True)] * 2
        [known] = orchestrator.skills.known("books-trial")
        assert known.standing.health.condition == "quarantined", "nothing ran that could have gone well"
        tried = orchestrator.run(pure, fresh=True)
        assert (tried.status, tried.cached) == (Status.SUCCEEDED, False), tried.reason
        [known] = orchestrator.skills.known("books-trial")
        assert known.standing.health.condition != "quarantined"


def test_a_recorded_result_costs_a_session_nothing(
    make_settings: MakeSettings, make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(states, "SETTLED_NS", -3600 * 10**9)
    pure = load_manifest(manifest("def main():\n    return 1\n", pure=True, cache={"ttl_seconds": 60}))
    settings = make_settings(vault=make_vault(), cache_dir=tmp_path / "cache")
    with Orchestrator(settings) as orchestrator, orchestrator.session(runs=2) as session:
        assert [session.run(pure).cached for _ in range(3)] == [False, True, True]
        assert session.state().used.runs == 1
        assert not session.run(pure, fresh=True).cached
        assert rules(session.run(pure)) == ["SES101"], "a session that is spent gives no answers either"


def test_another_skill_stands_in_for_one_that_failed(orchestrator: Orchestrator) -> None:
    orchestrator.skills.register(returning("instead", name="books-instead"))
    document = manifest(RAISES, name="books-falls", on_error={"fallback": {"skill": "books-instead@1.0.0"}})
    result = orchestrator.run(document)
    assert (result.status, result.output, result.degraded) == (Status.SUCCEEDED, "instead", True)
    assert result.fallback_of is not None
    assert (result.fallback_of.skill, result.fallback_of.status) == ("books-falls@1.0.0", Status.FAILED)
    reader = Reader(orchestrator.audit.database)
    found = [reader.show(run_id) for run_id in (result.fallback_of.run_id, result.run_id)]
    assert [None if run is None else run.state for run in found] == ["failed", "succeeded"]


# --- metrics and dashboard -------------------------------------------------------------------------------------------


def test_runs_are_in_the_metrics_that_are_served(make_settings: MakeSettings) -> None:
    told: list[str] = []
    sink = logger.add(lambda message: told.append(str(message).strip()), level="INFO", format="{level} {message}")
    with Orchestrator(make_settings(metrics_port=0, metrics_skills=5)) as orchestrator:
        logger.remove(sink)
        url = orchestrator.metrics_url
        assert url is not None
        assert f"INFO metrics are served at {url}" in told
        assert orchestrator.run(returning(1, name="books-metrics")).ok
        with urllib.request.urlopen(url, timeout=30) as answer:
            lines = answer.read().decode().splitlines()
    runs = [
        line
        for line in lines
        if line.startswith("skill_orchestrator_skill_runs_total{") and 'skill="books-metrics"' in line
    ]
    assert any('status="succeeded"' in line and line.endswith((" 1", " 1.0")) for line in runs), lines
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=30)
    assert orchestrator.metrics_url is None


def test_runs_that_broke_off_and_recorded_results_are_in_the_metrics(
    make_settings: MakeSettings, make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(states, "SETTLED_NS", -3600 * 10**9)
    engine = FakeEngine(on_job=lambda job: Answer(result=b"V1"))
    pure = load_manifest(manifest("def main():\n    return 1\n", pure=True, cache={"ttl_seconds": 60}))
    with Orchestrator(make_settings(vault=make_vault(), cache_dir=tmp_path / "cache"), engine=engine) as orchestrator:
        assert [orchestrator.run(pure).cached for _ in range(2)] == [False, True]
        engine.fail("create", EngineUnavailable("nothing answers"), times=1000)
        with pytest.raises(EngineUnavailable):
            orchestrator.run(pure, fresh=True)
        told = orchestrator.metrics.text().splitlines()
    assert 'skill_orchestrator_runs_total{level="standard",status="raised"} 1.0' in told
    assert 'skill_orchestrator_runs_total{level="standard",status="succeeded"} 2.0' in told
    assert 'skill_orchestrator_runs_cached_total{level="standard"} 1.0' in told


def test_without_a_port_no_metrics_are_served(orchestrator: Orchestrator) -> None:
    assert orchestrator.metrics_url is None


@pytest.mark.parametrize("wanted", [True, False])
def test_the_dashboard_is_kept_where_the_settings_want_it(
    make_settings: MakeSettings, make_vault: MakeVault, wanted: bool
) -> None:
    vault = make_vault({"Inbox/a.md": "a"})
    with Orchestrator(make_settings(vault=vault, dashboard=wanted)) as orchestrator:
        assert orchestrator.run(returning(1, name="books-board")).ok
    assert (vault / "Dashboard.md").exists() is wanted
    if wanted:
        text = (vault / "Dashboard.md").read_text()
        assert "books-board" in text[text.index(BEGIN) : text.index(END)]


# --- the audit trail -------------------------------------------------------------------------------------------------


def test_what_people_decide_is_on_record(make_settings: MakeSettings, make_vault: MakeVault) -> None:
    vault = make_vault({"Inbox/a.md": "a"})
    with Orchestrator(make_settings(vault=vault)) as orchestrator:
        first = orchestrator.run(manifest(WRITES, name="books-held", **HELD), principal="the program")
        assert first.status is Status.HELD
        assert deeds(orchestrator, first.run_id) == []
        orchestrator.reviews.approve(first.review, by="anna")
        assert deeds(orchestrator, first.run_id) == [("review.approved", "anna")]
        orchestrator.rollback(first.run_id)
        assert [what for what, _ in deeds(orchestrator, first.run_id)] == ["review.approved", "vault.rolled_back"]
        second = orchestrator.run(manifest(WRITES, name="books-held", **HELD))
        orchestrator.reviews.reject(second.review, by="bert")
        assert deeds(orchestrator, second.run_id) == [("review.rejected", "bert")]


def test_so_is_what_they_decide_at_the_command_line(make_settings: MakeSettings, make_vault: MakeVault) -> None:
    vault = make_vault({"Inbox/a.md": "a"})
    settings = make_settings(vault=vault)

    def decide(*words: str) -> None:
        environment = {"ORCHESTRATOR_STATE_DIR": str(settings.state_dir), "DOCKER_HOST": "tcp://127.0.0.1:1"}
        result = CliRunner().invoke(app, [*words, "--vault", str(vault)], env=environment)
        assert result.exit_code == 0, result.output

    with Orchestrator(settings) as orchestrator:
        first, second = (orchestrator.run(manifest(WRITES, name="books-desk", **HELD)) for _ in range(2))
        decide("review", "list")
        assert deeds(orchestrator, first.run_id) == []
        decide("review", "reject", second.review, "--by", "bert", "--comment", "no")
        decide("review", "approve", first.review, "--by", "anna")
        decide("rollback", first.run_id)
        assert [what for what, _ in deeds(orchestrator, first.run_id)] == ["review.approved", "vault.rolled_back"]
        assert deeds(orchestrator, second.run_id) == [("review.rejected", "bert")]
        assert orchestrator.run(returning(1, name="books-after")).ok, "two processes wrote one chain, and go on"
