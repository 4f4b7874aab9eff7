"""The tables of the documentation say what the code says: settings, verbs, exit codes, checks, limits, statuses."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from typing import Any

import pytest
from pydantic import AliasChoices

from orchestrator.cli.exits import EXITS, OF_STATUS
from orchestrator.doctor import engine, host, kernel, setup
from orchestrator.doctor.model import Check
from orchestrator.pool.stats import PoolStats, SpecStats
from orchestrator.results.model import Status
from orchestrator.sandbox.spec import Limits
from orchestrator.sandbox.wire import FrameType
from orchestrator.settings import Settings
from tests.docs.pages import ARCHITECTURE, OPERATIONS, README, ROOT, section, table
from tests.docs.reference import PAGES, REFERENCE, verbs
from tests.structure.test_layers import LAYERS

COMPUTED_DEFAULTS = {"state_dir", "cache_dir", "runtime_dir", "editor"}  # from the user's variables: said in words
REGENERATE = "run `python -m tests.docs.reference`"


def variables(field_name: str) -> list[str]:
    alias = Settings.model_fields[field_name].validation_alias
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str) and choice.isupper()]
    return [f"ORCHESTRATOR_{field_name.upper()}"]


def default(field_name: str) -> str:
    value = Settings.model_fields[field_name].get_default(call_default_factory=True, validated_data={})
    return "none" if value is None else str(value)


def test_settings() -> None:
    rows = {row["field"]: row for row in table(OPERATIONS, "Settings")}
    assert list(rows) == list(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        assert rows[name]["variable"].split(", ") == variables(name)
        assert rows[name]["meaning"] == (field.description or "").replace("`", "")
        if name not in COMPUTED_DEFAULTS:
            assert rows[name]["default"] == default(name)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_the_documented_variables_are_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "warm_targets": '{"standard": 2}', "vault_view": "copy", "log_level": "verbose", "log_format": "json",
        "log_file_mb": "5", "log_file_keep": "5", "metrics_port": "5", "metrics_skills": "5", "max_containers": "5",
        "max_waiting": "5", "acquire_timeout_seconds": "5", "close_timeout_seconds": "5",
        "canaries": '["a-planted-value"]', "keep_days": "5", "keep_mb": "5", "review_days": "5",
        "review_notes": "true", "review_folder": "Waiting",
        "dashboard": "true", "dashboard_path": "Meta/Board.md", "dashboard_interval_seconds": "5",
        "upkeep_interval_seconds": "5",
        "database": "postgresql://here/notes", "audit_days": "5", "audit_mb": "5",
        "audit_anchor_command": '["cat"]', "audit_anchor_syslog": "true",
        "alert_webhook": "https://here.example/x", "alert_command": '["/bin/true"]', "alert_note": "Alerts",
        "alert_apprise": '["json://here.example"]', "alert_interval_seconds": "5", "alert_per_hour": "5",
    }  # fmt: skip
    for variable in variables(name):
        monkeypatch.delenv(variable, raising=False)
    assert variables(name)
    assert name not in Settings().model_fields_set
    for variable in variables(name):
        monkeypatch.setenv(variable, values.get(name, "/somewhere"))
        assert name in Settings().model_fields_set
        monkeypatch.delenv(variable)


def test_verbs() -> None:
    assert sorted(row["verb"] for row in table(OPERATIONS, "The command line")) == sorted(verbs())


def test_readme_names_every_verb() -> None:
    text = section(README, "The command line")
    assert [verb for verb in verbs() if verb.removeprefix("orchestrator ") not in text] == []


def test_the_verbs_with_json_output_are_those_named() -> None:
    named = {
        "run", "review", "history", "rollback", "snapshot", "vault", "validate", "rules", "policy", "pool", "image",
        "doctor", "cleanup", "metrics", "alert", "audit", "db", "skills", "sessions", "status", "dashboard",
    }  # fmt: skip
    sentence = next(line for line in section(OPERATIONS, "The command line").splitlines() if "take `-o json`" in line)
    assert all(f"`{verb}`" in sentence for verb in named)
    with_output = {name.split()[1] for name, verb in verbs().items() if any("-o" in each.opts for each in verb.params)}
    assert with_output == named


def test_exit_codes() -> None:
    rows = [(int(row["code"]), row["name"], row["meaning"]) for row in table(OPERATIONS, "Exit codes")]
    assert rows == [(each.code, each.name, each.meaning) for each in EXITS]


def test_statuses() -> None:
    rows = {row["status"]: row["exit code of orchestrator run"] for row in table(README, "Limits", 1)}
    assert rows == {status.value: str(OF_STATUS[status].code) for status in Status}


def ceilings(level: str) -> dict[str, Any]:
    limits: dict[str, Any] = tomllib.loads((ROOT / "policies" / f"{level}.toml").read_text("utf-8"))["limits"]
    return limits


def test_limits_and_ceilings() -> None:
    rows = {row["limit"]: row for row in table(README, "Limits")}
    assert list(rows) == [field.name for field in fields(Limits)]
    for field in fields(Limits):
        row = rows[field.name]
        assert float(row["default"]) == field.default
        for level in ("strict", "standard", "relaxed"):
            assert float(row[level]) == ceilings(level)[field.name], f"{field.name}, {level}"


def test_pool_stats() -> None:
    assert [row["name"] for row in table(OPERATIONS, "PoolStats")] == [field.name for field in fields(PoolStats)]
    own = {field.name for field in fields(SpecStats)} - {field.name for field in fields(PoolStats)} | {"degraded"}
    assert all(f"`{name}`" in section(OPERATIONS, "PoolStats") for name in own)


def test_doctor_checks() -> None:
    documented = {row["check"]: (row["severity"], row["what it asks"]) for row in table(OPERATIONS, "Doctor")}
    checks: list[Check[Any]] = [*engine.CHECKS, *kernel.CHECKS, *host.CHECKS, *setup.CHECKS]
    single = {check.id: check for check in checks if not check.id.startswith("kernel.sysctl.")}
    assert set(documented) == {*single, "kernel.sysctl.*", "probe.installation", "probe.LEVEL.*"}
    for name, check in single.items():
        assert documented[name] == (check.severity.value, check.title)


def test_frames() -> None:
    rows = {row["frame"]: int(row["number"]) for row in table(ARCHITECTURE, "The wire")}
    assert rows == {frame.name: frame.value for frame in FrameType}


def test_layers() -> None:
    assert tuple(row["layer"] for row in table(ARCHITECTURE, "Packages and layers")) == LAYERS


@pytest.mark.parametrize("name", sorted(PAGES))
def test_generated_pages_are_current(name: str) -> None:
    assert (REFERENCE / name).read_text("utf-8") == PAGES[name](), REGENERATE


def test_no_other_page_pretends_to_be_generated() -> None:
    assert sorted(path.name for path in REFERENCE.iterdir()) == sorted(PAGES)
