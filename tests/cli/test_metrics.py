"""``orchestrator metrics``: from the records and the engine, and of a running orchestrator."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner, Result

from orchestrator.cli.app import app
from orchestrator.metrics import CATALOGUE
from orchestrator.metrics.catalogue import ENGINE_CONTAINERS, RECORDED
from tests.support.exposed import full

NOWHERE = "tcp://127.0.0.1:1"  # nothing listens there


@pytest.fixture
def call(tmp_path: Path) -> Any:
    def call(*arguments: str, **environment: str) -> Result:
        env = {"DOCKER_HOST": NOWHERE, "ORCHESTRATOR_STATE_DIR": str(tmp_path / "state"), **environment}
        return CliRunner().invoke(app, ["metrics", *arguments], env=env)

    return call


def test_without_anything_it_is_zero_and_nothing_is_made(call: Any, tmp_path: Path) -> None:
    result = call()
    assert result.exit_code == 0
    families = {family.name: family for family in text_string_to_metric_families(result.stdout)}
    assert set(families) == {metric.name for metric in RECORDED if metric is not ENGINE_CONTAINERS}
    assert not any(sample.value for family in families.values() for sample in family.samples)
    assert not (tmp_path / "state").exists()


def test_with_an_engine(call: Any, engine_url: str, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    result = call("-o", "json", DOCKER_HOST=engine_url)
    document = {each["name"]: each for each in json.loads(result.stdout)}
    assert set(document) == {metric.name for metric in RECORDED}
    assert document["skill_orchestrator_engine_up"]["samples"][0]["value"] == 1
    assert not list((tmp_path / "state" / "instances").iterdir())  # its own claim is given up


def test_a_running_orchestrator_is_asked(call: Any) -> None:
    metrics = full()
    with metrics.serve("127.0.0.1", 0) as endpoint:
        text = call("--url", endpoint.url)
        document = json.loads(call("--url", endpoint.url, "-o", "json").stdout)
    assert text.exit_code == 0
    assert text.stdout == metrics.text()
    assert [each["name"] for each in document] == [metric.name.removesuffix("_total") for metric in CATALOGUE]


def test_what_answers_is_not_obeyed_by_the_terminal(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.cli.metrics.scrape", lambda url: "a 1\n# \x1b[2J\u202e\x9b\n")
    assert call("--url", "http://x").stdout == "a 1\n# \\x1b[2J\\u202e\\x9b\n"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/metrics", "file:///etc/passwd", "\x1b[2J"])
def test_an_address_of_no_use_is_told(call: Any, url: str) -> None:
    result = call("--url", url)
    assert result.exit_code == 6
    assert "metrics_port" in result.stderr
    assert "\x1b" not in result.output
    assert result.stdout == ""


def test_broken_records_are_told(call: Any, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "records.db").write_bytes(os.urandom(4096))
    result = call()
    assert result.exit_code == 6
    assert "records.db" in result.stderr
