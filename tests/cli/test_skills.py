"""The registry and sessions through the real command line. No engine is asked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from orchestrator.audit.query import Reader
from orchestrator.cli.app import app
from orchestrator.cli.desk import login_name
from orchestrator.cli.render import result_lines
from orchestrator.policy import Decision
from orchestrator.records import Database
from orchestrator.records.database import FILE_NAME
from orchestrator.registry import Registry
from orchestrator.registry.health import FAILURES_IN_A_ROW
from orchestrator.registry.rules import finding as registry_finding
from orchestrator.results.assemble import denied_result
from orchestrator.results.model import Status, Timings
from orchestrator.sandbox.spec import Limits
from orchestrator.sessions import Budget, Owner, Sessions, Spent
from orchestrator.sessions.rules import finding as session_finding
from orchestrator.validation.finding import Finding
from tests.support.runs import result, skill

NOWHERE = "tcp://127.0.0.1:1"  # nothing listens there
HOSTILE = "\x1b]52;c;QUFB\x07[bold]b[/bold]\u202e"
OBEYED = ("\x1b", "\x07", "\u202e")


class Desk:
    def __init__(self, root: Path) -> None:
        self.root, self.state = root, root / "state"
        self.state.mkdir(mode=0o700)

    def call(self, *arguments: str, columns: int = 250) -> Result:
        env = {"DOCKER_HOST": NOWHERE, "ORCHESTRATOR_STATE_DIR": str(self.state), "COLUMNS": str(columns)}
        return CliRunner().invoke(app, list(arguments), env=env)

    def text(self, *arguments: str) -> str:
        found = self.call(*arguments)
        assert found.exit_code == 0, found.output
        return found.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.text(*arguments, "-o", "json"))

    def manifest(self, name: str = "tidy", version: str = "1.0.0", code: str = "result = 1\n") -> str:
        file = self.root / f"{name}-{version}.json"
        document = {"manifest_version": 1, "name": name, "version": version, "code": code, "entrypoint": None}
        file.write_text(json.dumps(document))
        return str(file)

    def database(self) -> Database:
        return Database(self.state / FILE_NAME)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_register_show_change_and_history(desk: Desk) -> None:
    file = desk.manifest()
    assert "tidy@1.0.0 registered" in desk.text(
        "skills", "register", file, "--owner", "ann", "--tag", "notes", "--by", "root"
    )
    row = desk.json("skills", "change", "tidy@1.0.0", "--tag", "daily", "--tag", "notes", "--by", "bob")
    assert (row["owner"], row["tags"], row["registered_by"]) == ("ann", ["daily", "notes"], "root")
    shown = desk.text("skills", "show", "tidy")
    assert all(word in shown for word in ("tidy@1.0.0", "healthy", "daily, notes", "ann", "runs: 0: none"))
    assert desk.json("skills", "change", "tidy@1.0.0", "--tag", "")["tags"] == []
    assert [each["kind"] for each in desk.json("skills", "history", "tidy")] == ["changed", "changed", "registered"]
    assert "bob" in desk.text("skills", "history", "tidy@1.0.0")


def test_another_manifest_under_the_same_version_is_a_mistake(desk: Desk) -> None:
    desk.text("skills", "register", desk.manifest())
    assert desk.text("skills", "register", desk.manifest()), "the same again is none"
    found = desk.call("skills", "register", desk.manifest(code="result = 2\n"))
    assert found.exit_code == 2
    assert "REG101" in found.stderr
    assert "take a new version" in found.stderr


def test_disable_and_enable(desk: Desk) -> None:
    desk.text("skills", "register", desk.manifest())
    desk.text("skills", "disable", "tidy@1.0.0", "--reason", "it lost notes")
    assert "disabled" in desk.text("skills", "list")
    assert "it lost notes" in desk.text("skills", "show", "tidy@1")
    desk.text("skills", "enable", "tidy@1.0.0")
    (row,) = desk.json("skills", "list")
    assert row["registered"]["disabled"] is False
    for verb in ("disable", "enable", "change"):
        assert desk.call("skills", verb, "tidy").exit_code == 2, "which version is not said"


def test_list_shows_what_ran_registered_or_not(desk: Desk) -> None:
    assert "no skill is registered" in desk.text("skills", "list")
    with desk.database() as database:
        registry = Registry(database)
        for _ in range(FAILURES_IN_A_ROW):
            registry.record(skill(), result(Status.TIMED_OUT, wall=2.0, memory=20 * 2**20))
    table = desk.text("skills", "list")
    assert all(word in table for word in ("tidy@1.0.0", "degraded", "0%", " ms", " MB"))
    (row,) = desk.json("skills", "list")
    assert (row["registered"], row["errors"], row["runs"]) == (None, {"timed_out": 5}, 5)
    assert row["wall_seconds"]["p95"] == pytest.approx(2.0, rel=0.021)
    assert "not registered" in desk.text("skills", "show", "tidy@1.0.0")
    assert desk.json("skills", "list", "--tag", "none") == []


def test_a_quarantine_is_shown_and_can_be_ended(desk: Desk) -> None:
    desk.text("skills", "register", desk.manifest())
    with desk.database() as database:
        registry = Registry(database)
        for _ in range(FAILURES_IN_A_ROW):
            registry.record(registry.resolve("tidy@1.0.0"), result(Status.TIMED_OUT))
    assert "quarantined" in desk.text("skills", "list")
    assert "5 failed runs in a row" in desk.text("skills", "show", "tidy@1.0.0")
    desk.text("skills", "enable", "tidy@1.0.0")
    assert desk.json("skills", "show", "tidy")[0]["health"]["condition"] == "degraded"


def test_a_registered_skill_runs_by_name_and_an_unknown_one_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no engine here, so a skill that was found ends with what the installation lacks (6)."""
    monkeypatch.chdir(desk.root)
    desk.text("skills", "register", desk.manifest("summarise-inbox", "1.2.0"))
    for reference in ("summarise-inbox", "summarise-inbox@1.2", "summarise-inbox@1.2.0"):
        assert desk.call("run", reference).exit_code == 6
    found = desk.call("run", "sumarise-inbox")
    assert found.exit_code == 2
    assert "summarise-inbox" in found.stderr
    assert desk.call("run", "summarise-inbox@2").exit_code == 2
    (desk.root / "plain").write_text("{}")
    assert "manifest plain" in desk.call("run", "plain").stderr, "a file that exists is that file"


def test_what_is_hostile_is_shown_escaped(desk: Desk) -> None:
    arguments = ("--owner", HOSTILE, "--by", HOSTILE)
    desk.text("skills", "register", desk.manifest(), *arguments)
    desk.text("skills", "disable", "tidy@1.0.0", "--reason", HOSTILE)
    shown = desk.text("skills", "list") + desk.text("skills", "show", "tidy") + desk.text("skills", "history", "tidy")
    shown += desk.text("skills", "history", "tidy", "-o", "json") + desk.call("skills", "show", HOSTILE).output
    shown += desk.call("skills", "register", desk.manifest("b"), "--tag", HOSTILE).output
    shown += desk.call("sessions", "show", HOSTILE).output + desk.call("run", HOSTILE).output
    assert not any(mark in shown for mark in OBEYED)
    assert "\\x1b" in shown


def test_sessions(desk: Desk) -> None:
    assert "no session is open" in desk.text("sessions", "list")
    with desk.database() as database:
        sessions = Sessions(database, Owner("here", "a", lambda _: True))
        id = sessions.open(Budget(wall_seconds=300, runs=50), label="nightly").id
        sessions.reserve(id, "run", Limits(wall_seconds=60))
        sessions.settle(id, "run", Spent(12.5, 3.0, 1))
    table = desk.text("sessions", "list")
    assert all(word in table for word in (id, "open", "1 of 50, 49 left", "12.5 of 300 s, 287.5 s left", "nightly"))
    assert "3.0 s  " in table, "where there is no budget nothing is left of it"
    document = desk.json("sessions", "show", id)
    assert document["left"] == {"wall_seconds": 287.5, "cpu_seconds": None, "runs": 49, "network_requests": None}
    closed = desk.text("sessions", "close", id)
    assert "closed" in closed
    assert "12.5 of 300 s" in closed
    assert "left" not in closed, "of what is closed nothing can be had"
    assert "expires" not in closed
    assert desk.json("sessions", "list") == []
    assert [each["condition"] for each in desk.json("sessions", "list", "--all")] == ["closed"]
    assert desk.call("sessions", "show", "unknown").exit_code == 2


def test_a_session_is_opened_and_used_and_what_is_left_is_told(desk: Desk) -> None:
    budgets = ("--wall-seconds", "1234567.5", "--cpu-seconds", "60", "--runs", "3", "--network-requests", "0")
    opened = desk.call("sessions", "open", *budgets, "--label", HOSTILE)
    assert opened.exit_code == 0, opened.output
    [id] = opened.stdout.splitlines()
    assert f"orchestrator run --session {id}" in opened.stderr
    assert "runs: 3, wall time: 1234567.5 s, CPU time: 60 s, network requests: 0" in opened.stderr
    with desk.database() as database:
        Sessions(database, Owner("here", "a", lambda _: True)).reserve(
            id, "run", Limits(wall_seconds=40, cpu_seconds=9)
        )
    shown = desk.text("sessions", "show", id)
    for line in (
        "runs: 0 of 3, 2 left, 1 set aside",
        "wall time: 0.0 of 1234567.5 s, 1234527.5 s left, 40.0 s set aside",
        "CPU time: 0.0 of 60 s, 51.0 s left, 9.0 s set aside",
        "network requests: 0 of 0, 0 left",
        "expires unless used before: ",
    ):
        assert f"  {line}" in shown
    shown += desk.text("sessions", "list")
    assert id in desk.call("sessions", "list", columns=60).stdout
    assert "\\x1b" in shown
    assert not any(mark in shown for mark in OBEYED)


def test_what_is_changed_here_goes_into_the_audit_trail(desk: Desk) -> None:
    for looking in (("skills", "list"), ("sessions", "list"), ("skills", "history", "tidy")):
        desk.text(*looking)
    assert not (desk.state / "audit.key").exists(), "looking opens no trail"
    desk.text("skills", "register", desk.manifest(), "--by", "anna")
    desk.text("skills", "change", "tidy@1.0.0", "--owner", "bert", "--by", "anna")
    desk.text("skills", "disable", "tidy@1.0.0", "--reason", "it lost notes", "--by", "bert")
    desk.text("skills", "enable", "tidy@1.0.0", "--by", "anna")
    id = desk.json("sessions", "open", "--runs", "2")["id"]
    desk.text("sessions", "close", id)
    assert desk.call("skills", "disable", "other@1.0.0").exit_code == 2
    with desk.database() as database:
        found = [(each.status, each.principal, each.session) for each in Reader(database).tail(10)]
    me = login_name(str(os.getuid()))
    assert found == [
        ("skill.registered", "anna", ""),
        ("skill.changed", "anna", ""),
        ("skill.disabled", "bert", ""),
        ("skill.enabled", "anna", ""),
        ("session.opened", me, id),
        ("session.closed", me, id),
    ]
    desk.text("audit", "verify")


def test_without_the_trail_nothing_is_changed(desk: Desk) -> None:
    desk.text("skills", "register", desk.manifest())
    (desk.state / "audit.key").rename(desk.root / "lost")
    for verb in (("skills", "disable", "tidy@1.0.0"), ("sessions", "open", "--runs", "2")):
        assert desk.call(*verb).exit_code != 0
    [row] = desk.json("skills", "list")
    assert row["registered"]["disabled"] is False
    assert desk.json("sessions", "list", "--all") == []


def test_damaged_standings_are_shown_as_such(desk: Desk) -> None:
    with desk.database() as database:
        Registry(database).record(skill(), result(Status.FAILED))
        Registry(database).record(skill("other"), result())
        with database.writing() as connection:
            for name, column in (("tidy", "health"), ("other", "statistics")):
                connection.exec_driver_sql(f"UPDATE skill_standings SET {column} = '7' WHERE name = '{name}'")
    assert all(name in desk.text("skills", "list") for name in ("tidy@1.0.0", "other@1.0.0"))
    assert "damaged: health in the records cannot be read; the next run begins anew" in desk.text(
        "skills", "show", "tidy"
    )
    assert {each["name"]: each["damaged"] for each in desk.json("skills", "list")} == {
        "tidy": ["health"],
        "other": ["statistics"],
    }
    assert "tidy@1.0.0" in desk.text("status")


def test_db_prune_forgets_what_followed_from_runs_long_ago(desk: Desk) -> None:
    desk.text("skills", "register", desk.manifest())
    with desk.database() as database:
        registry = Registry(database, now=lambda: 1_000_000.0)
        for _ in range(FAILURES_IN_A_ROW):
            registry.record(registry.resolve("tidy@1.0.0"), result(Status.FAILED))
    assert desk.json("db", "prune")["rows"] == {"skill_events": 1}
    assert [each["kind"] for each in desk.json("skills", "history", "tidy")] == ["registered"]


def test_a_session_that_is_opened_as_json_is_the_whole_session(desk: Desk) -> None:
    opened = desk.call("sessions", "open", "--runs", "2", "-o", "json")
    document = json.loads(opened.stdout)
    assert opened.stderr == ""
    assert document["budget"] == {"wall_seconds": None, "cpu_seconds": None, "runs": 2, "network_requests": None}
    assert document == desk.json("sessions", "show", document["id"])
    assert [document] == desk.json("sessions", "list")


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((), "--wall-seconds"),
        (("--label", "nightly"), "a session needs a budget"),
        (("--wall-seconds", "-1"), "wall_seconds=-1.0 is no budget"),
        (("--wall-seconds", "nan"), "wall_seconds=nan is no budget"),
        (("--cpu-seconds", "inf"), "at most 1,000,000,000"),
        (("--cpu-seconds", "0"), "cpu_seconds=0.0 is no budget"),
        (("--runs", "0"), "runs from 1"),
        (("--runs", "2.5"), "--runs"),
        (("--runs", str(2**31)), "at most 2,147,483,647"),
        (("--runs", "1", "--network-requests", "-1"), "network_requests=-1 is no budget"),
    ],
)  # fmt: skip
def test_what_is_no_budget_opens_no_session(desk: Desk, given: tuple[str, ...], told: str, output: str) -> None:
    refused = desk.call("sessions", "open", *given, "-o", output)
    assert refused.exit_code == 2, refused.output
    assert told in refused.stderr
    assert refused.stdout == ""
    assert desk.json("sessions", "list", "--all") == []


def test_a_refusal_by_registry_or_session_is_not_laid_at_the_policys_door() -> None:
    for found in (registry_finding("REG103", "tidy@1.0.0", "x"), session_finding("SES102", "s")):
        decision = Decision(False, "standard", "", violations=(found,))
        denied = denied_result("r", skill(), decision, Timings())
        first, *_ = result_lines(denied, "")
        assert denied.reason.startswith(f"it may not run: [{found.rule}]")
        assert "by the policy" not in first.plain
    by_policy = Decision(False, "standard", "", violations=(Finding("POL201", "x", "y"),))
    first, *_ = result_lines(denied_result("r", skill(), by_policy, Timings()), "")
    assert first.plain.endswith("denied: by the policy standard")
