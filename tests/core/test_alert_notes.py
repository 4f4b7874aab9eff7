"""An alert as a note in a real vault: it is there, it harms nobody's edits, and no skill may change it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator import Settings
from orchestrator.alerts import Alert, Alerts
from orchestrator.cli.app import app
from orchestrator.cli.desk import desk
from orchestrator.manifest import load_manifest
from orchestrator.manifest.model import VaultGrants
from orchestrator.vault.changes import Change
from orchestrator.vault.check import check
from orchestrator.vault.history import History
from orchestrator.vault.holding import ALERT_MARK, notes_pattern
from tests.core.test_review_page import outside_fences

PATIENCE = 30.0
HOSTILE = "``` [[secret]] <% x %> <script> #tag"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    vault = tmp_path / "notes"
    vault.mkdir()
    if os.geteuid() == 0:
        os.chown(vault, 1000, 1000)
    return Settings(vault=vault, state_dir=tmp_path / "state", alert_note="Alerts/Skills")


@pytest.fixture
def history(settings: Settings) -> Iterator[History]:
    with ExitStack() as opened:
        yield opened.enter_context(desk(settings)).history


def notes(settings: Settings) -> list[Path]:
    assert settings.vault is not None
    return sorted(settings.vault.rglob("*.md"))


def test_each_alert_is_a_note(settings: Settings, history: History) -> None:
    alerts = Alerts.of(settings, history)
    alerts.send(Alert("run_failed", HOSTILE, skill=HOSTILE, rule="failed", run_id="0123", at=0.0))
    alerts.send(Alert("audit", "the audit log was edited", at=0.0))
    alerts.close(PATIENCE)
    found = {path.name: path.read_text() for path in notes(settings)}
    assert len(found) == 2
    assert all(name.startswith(f"1970-01-01 {ALERT_MARK}") for name in found)
    text = next(text for text in found.values() if "run_failed" in text)
    assert text.startswith("---\nalert: run_failed\ntime: 1970-01-01T00:00:00Z\n---\n")
    assert "[[secret]]" in text
    assert "secret" not in outside_fences(text)
    assert "<%" not in text


def test_a_note_of_a_person_in_its_place_is_left_alone(settings: Settings, history: History) -> None:
    alert = Alert("test", "this is a test: alerts arrive here", at=0.0)
    first = Alerts.of(settings, history)
    first.send(alert)
    first.close(PATIENCE)
    (path,) = notes(settings)
    path.write_text("a person's\n")
    second = Alerts.of(settings, history)
    second.send(alert)
    second.close(PATIENCE)
    assert [each.read_text() for each in notes(settings)] == ["a person's\n"]


def test_a_directory_that_cannot_be_made_is_a_fault_and_nothing_else(settings: Settings, history: History) -> None:
    assert settings.vault is not None
    (settings.vault / "Alerts").symlink_to("/tmp")
    alerts = Alerts.of(settings, history)
    ((channel, fault),) = [(tried.channel, tried.fault) for tried in alerts.test()]
    assert channel == "note"
    assert fault
    assert not list(Path("/tmp").glob("Skills*"))
    alerts.close(PATIENCE)


def test_no_skill_may_change_such_a_note(settings: Settings, tmp_path: Path) -> None:
    from orchestrator.cli.desk import Judge
    from orchestrator.vault.root import Vault

    skill = load_manifest(
        {"manifest_version": 1, "name": "a", "version": "1.0.0", "code": "def main():\n    return 1\n",
         "vault": {"write": ["."]}}
    )  # fmt: skip
    assert settings.vault is not None
    pattern = notes_pattern("Alerts/Skills", ALERT_MARK)
    without = settings.model_copy(update={"alert_note": ""})
    assert pattern in Judge(settings, Vault(settings.vault, settings.state_dir)).decide(skill).forbidden
    assert pattern not in Judge(without, Vault(settings.vault, settings.state_dir)).decide(skill).forbidden
    changes = [Change("modified", "Alerts/Skills/1970-01-01 alert-0123456789ab.md", 1, "a" * 64)]
    assert [each.rule for each in check(changes, VaultGrants(write=(".",)), (pattern,))] == ["VLT202"]
    assert not check(changes, VaultGrants(write=(".",)), ()), "the control: it is the pattern that refuses"


def test_the_verb_sends_one_through_each_channel(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "alert.json"
    environment = {
        "ORCHESTRATOR_VAULT": str(settings.vault), "ORCHESTRATOR_STATE_DIR": str(settings.state_dir),
        "ORCHESTRATOR_ALERT_NOTE": "Alerts", "ORCHESTRATOR_ALERT_COMMAND": json.dumps(["/usr/bin/tee", str(out)]),
    }  # fmt: skip
    result = CliRunner().invoke(app, ["alert", "test"], env=environment)
    assert (result.exit_code, result.stdout) == (0, "command: sent\nnote: sent\n")
    assert json.loads(out.read_text())["kind"] == "test"
    assert len(notes(settings)) == 1
    environment["ORCHESTRATOR_ALERT_COMMAND"] = '["/bin/false"]'
    result = CliRunner().invoke(app, ["alert", "test", "-o", "json"], env=environment)
    assert result.exit_code == 6
    assert json.loads(result.stdout)["channels"][0] == {"channel": "command", "fault": "it ended with 1"}
    result = CliRunner().invoke(app, ["alert", "test"], env={"ORCHESTRATOR_STATE_DIR": str(settings.state_dir)})
    assert result.exit_code == 6
    assert "no channel for alerts is configured" in result.stderr
