"""``orchestrator audit`` through the real command line. No engine is asked."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from orchestrator.audit.trail import AuditTrail
from orchestrator.cli.app import app
from orchestrator.policy.decision import Decision
from orchestrator.records import Database
from orchestrator.results.model import Status
from orchestrator.validation.finding import Finding
from tests.audit.conftest import Archive, allowed, result_of, skill_of

HOSTILE = "\x1b]52;c;QUFB\x07\u202e[bold]b[/bold]"


class Office:
    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self.home = home
        self.archive = Archive(home / "records.db", home)

    def call(self, *arguments: str) -> Result:
        env = {"ORCHESTRATOR_STATE_DIR": str(self.home), "COLUMNS": "200", "ORCHESTRATOR_AUDIT_DAYS": "1"}
        return CliRunner().invoke(app, ["audit", *arguments] if arguments[0] != "db" else list(arguments), env=env)

    def json(self, *arguments: str, code: int = 0) -> Any:
        result = self.call(*arguments, "-o", "json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    found = Office(tmp_path / "state")
    finding = Finding("ORC101", "os", "import of os")
    with AuditTrail(found.archive.database, found.home) as trail:
        denied = Decision(False, "strict", "b" * 64, violations=(finding,))
        trail.intent("r1", skill_of(), {}, denied, principal="anna", session="s1", image_id="sha256:1")
        trail.outcome(result_of("r1", status=Status.DENIED, violations=(finding,)))
        trail.intent("r2", skill_of("x = 1\n"), {"x": HOSTILE}, allowed(), principal=HOSTILE, image_id="sha256:1")
        trail.event("review.approved", principal="berta", run_id="r2")
    yield found
    found.archive.close()


def test_verify(office: Office) -> None:
    result = office.call("verify")
    assert result.exit_code == 0
    assert "the audit trail is whole: 4 records" in result.stdout
    document = office.json("verify")
    assert document["ok"] is True
    assert (document["records"], document["found"]) == (4, [])


def test_verify_names_what_it_finds(office: Office) -> None:
    office.archive.sql(
        "UPDATE audit_records SET status = 'allowed' WHERE seq = 1", "DELETE FROM audit_records WHERE seq = 3"
    )
    result = office.call("verify")
    assert result.exit_code == 1
    assert "edited     record 1" in result.stdout
    assert "deleted    record 3" in result.stdout
    assert "NOT whole" in result.stdout
    found = office.json("verify", code=1)["found"]
    assert [(each["fault"], each["first"]) for each in found] == [("edited", 1), ("deleted", 3)]
    assert all(each["meaning"] for each in found)


def test_verify_with_anchors_from_elsewhere(office: Office, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(office.archive.anchors.path.read_bytes())
    office.archive.anchors.path.write_bytes(b"")
    office.archive.sql("DELETE FROM audit_records WHERE seq > 2", "DELETE FROM audit_head")
    assert "restored" not in office.call("verify").stdout
    result = office.call("verify", "--anchors", str(elsewhere))
    assert result.exit_code == 1
    assert "restored" in result.stdout


def test_verify_without_the_key_cannot_say_that_all_is_well(office: Office) -> None:
    office.archive.key_path.unlink()
    assert office.call("verify").exit_code == 1


def test_verify_of_nothing(tmp_path: Path) -> None:
    env = {"ORCHESTRATOR_STATE_DIR": str(tmp_path / "new")}
    assert CliRunner().invoke(app, ["audit", "verify"], env=env).exit_code == 0


def test_begin(office: Office) -> None:
    result = office.call("begin")
    assert result.exit_code == 6
    assert "not empty" in result.stderr
    office.archive.sql("DELETE FROM audit_records", "DELETE FROM audit_head")
    former = office.json("begin")["former_anchors"]
    assert (office.home / former).exists()
    verified = office.json("verify")
    assert (verified["records"], len(verified["notes"])) == (1, 1)
    office.archive.sql("DELETE FROM audit_records", "DELETE FROM audit_head")
    result = office.call("begin")
    assert "a new audit trail is begun" in result.stdout
    assert "audit.anchors.former-" in result.stdout


def test_tail(office: Office) -> None:
    result = office.call("tail")
    assert result.exit_code == 0
    assert "allowed, interrupted" in result.stdout
    assert [each["seq"] for each in office.json("tail", "-n", "2")] == [3, 4]
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout


def test_show(office: Office) -> None:
    result = office.call("show", "r1")
    assert result.exit_code == 0
    for wanted in ("run r1: denied", "by anna", "ORC101", "def main(x):", "checks passed"):
        assert wanted in result.stdout
    document = office.json("show", "r2")
    assert document["state"] == "interrupted"
    assert document["code"] == "x = 1\n"
    assert "\x1b" not in office.call("show", "r2").stdout
    assert office.call("show", "unknown").exit_code == 2


def test_search(office: Office) -> None:
    assert [each["run_id"] for each in office.json("search")] == ["r2", "r1"]
    assert [each["run_id"] for each in office.json("search", "--state", "interrupted")] == ["r2"]
    assert [each["run_id"] for each in office.json("search", "--rule", "ORC101", "--principal", "anna")] == ["r1"]
    assert [each["run_id"] for each in office.json("search", "--since", "1h", "--limit", "1")] == ["r2"]
    assert office.json("search", "--until", "2020-01-01") == []
    assert office.call("search", "--since", "yesterday").exit_code == 2


def test_export(office: Office, tmp_path: Path) -> None:
    result = office.call("export")
    assert result.exit_code == 0
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["class_uid"], each["activity_id"], each["type_uid"]) for each in events] == [
        (1007, 1, 100701), (1007, 2, 100702), (1007, 1, 100701), (6003, 99, 600399),
    ]  # fmt: skip
    first = events[0]
    assert first["metadata"]["version"] == "1.3.0"
    assert first["metadata"]["sequence"] == 1
    assert first["actor"]["user"]["name"] == "anna"
    assert first["process"]["uid"] == "r1"
    assert first["status_id"] == 2
    assert first["unmapped"]["body"]["checks"]["failed"][0]["rule"] == "ORC101"
    assert result.stdout.isascii()
    target = tmp_path / "trail.jsonl"
    assert office.call("export", "--out", str(target)).exit_code == 0
    assert target.read_text() == result.stdout
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert office.call("export", "--out", str(target)).exit_code == 2


def test_db_prune_prunes_the_trail(office: Office) -> None:
    office.archive.fill(3)
    office.archive.close()
    with Database(office.home / "records.db") as database, AuditTrail(database, office.home) as trail:
        trail.outcome(result_of("r2"))  # until then its intent stays
        trail.event("later")
    assert CliRunner().invoke(
        app, ["db", "prune", "-o", "json"],
        env={"ORCHESTRATOR_STATE_DIR": str(office.home), "ORCHESTRATOR_AUDIT_DAYS": "0"},
    ).exit_code == 0  # fmt: skip
    document = office.json("verify")
    assert document["ok"] is True
    assert document["first"] == 12
