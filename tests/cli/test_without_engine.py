"""The verbs that need no engine, and what the others say where there is none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from orchestrator.cli.app import app
from orchestrator.examples import EXAMPLES
from orchestrator.manifest import manifest_schema
from orchestrator.policy import default_policy_dir, policy_schema
from orchestrator.results.model import Status

NOWHERE = "tcp://127.0.0.1:1"  # nothing listens there


@pytest.fixture
def call(tmp_path: Path) -> Any:
    def call(*arguments: str | Path, **environment: str) -> Result:
        env = {
            "DOCKER_HOST": NOWHERE,
            "ORCHESTRATOR_STATE_DIR": str(tmp_path / "state"),
            "COLUMNS": "200",
            **environment,
        }
        return CliRunner().invoke(app, [str(each) for each in arguments], env=env)

    return call


def write(path: Path, **document: Any) -> Path:
    path.write_text(json.dumps({"manifest_version": 1, "name": "a", "version": "1.0.0", **document}))
    return path


def test_schemas_are_printed_as_they_are_published(call: Any) -> None:
    assert json.loads(call("schema").stdout) == manifest_schema()
    assert json.loads(call("schema", "--policy").stdout) == policy_schema()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_examples_are_valid_and_denied_as_they_say(call: Any, example: Any) -> None:
    result = call("validate", example.manifest, "-o", "json")
    document = json.loads(result.stdout)
    denied = example.expected is Status.DENIED
    assert document["valid"] is not denied
    assert bool(document["violations"]) is denied
    assert result.exit_code == (3 if denied else 0)


def test_validate_lists_every_problem_with_its_pointer(call: Any, tmp_path: Path) -> None:
    manifest = write(tmp_path / "m.json", name="a b", code="x = 1", limits={"memory_mb": "much", "pids": -1}, frob=1)
    result = call("validate", manifest, "-o", "json")
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert {"/name", "/limits/memory_mb", "/limits/pids"} <= {each["pointer"] for each in document["problems"]}
    text = call("validate", manifest).stdout
    assert "/limits/memory_mb" in text
    assert "not a valid manifest" in text


def test_validate_shows_the_line_and_a_caret(call: Any, tmp_path: Path) -> None:
    code = tmp_path / "skill.py"
    code.write_text("x = 1\nimport subprocess\n")
    result = call("validate", code)
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert result.exit_code == 3
    assert lines[0].startswith("skill.py:2:8: error ORC101")
    assert lines[1] == "import subprocess"
    assert result.stdout.splitlines()[2].index("^") == result.stdout.splitlines()[1].index("subprocess")


def test_validate_judges_by_the_level_asked_for(call: Any, tmp_path: Path) -> None:
    manifest = write(tmp_path / "m.json", code="import os\ndef main():\n    return os.sep\n")
    assert call("validate", manifest, "--level", "strict").exit_code == 3
    assert call("validate", manifest, "--level", "relaxed").exit_code == 0
    assert call("validate", manifest, "--level", "nosuch").exit_code == 6


def test_validate_says_what_it_could_not_judge(call: Any, tmp_path: Path) -> None:
    manifest = write(tmp_path / "m.json", code="import yaml\ndef main():\n    pass\n", dependencies=["PyYAML"])
    result = call("validate", manifest)
    assert result.exit_code == 0
    assert "dependencies were not checked" in result.stdout


def test_hostile_names_and_code_are_escaped(call: Any, tmp_path: Path) -> None:
    manifest = write(tmp_path / "m.json", name="\x1b[2J\u202e[link=http://x]y[/link]", code="import \x1b[31mos\u202e\n")
    code = tmp_path / "[bold]\x1b[1mname.py"
    code.write_text("import subprocess  # \x1b]0;title\x07 \u202e [red]r[/red]\n")
    for file in (manifest, code):
        output = call("validate", file).output
        assert not any(character in output for character in "\x1b\x07\u202e")
        json.loads(call("validate", file, "-o", "json").stdout)
    assert "[red]r[/red]" in call("validate", code).output


def test_a_valid_set_of_policies_is_accepted(call: Any, tmp_path: Path) -> None:
    dry = json.loads(call("policy", "check", "--dry-run", "-o", "json").stdout)
    assert (dry["ok"], dry["accepted"]) == (True, False)
    assert not (tmp_path / "state").exists()
    assert json.loads(call("policy", "check", "-o", "json").stdout)["accepted"] is True
    assert (tmp_path / "state" / "policies" / "accepted.json").exists()


def test_a_broken_policy_is_told_and_not_accepted(call: Any, tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    shutil.copytree(default_policy_dir(), policies)
    (policies / "strict.toml").write_text('version = 1\nfrob = "\\u001b[2J"\n')
    result = call("policy", "check", ORCHESTRATOR_POLICY_DIR=str(policies))
    assert result.exit_code == 6
    assert "strict.toml" in result.stdout
    assert "\x1b" not in result.output
    assert not (tmp_path / "state").exists()


def test_policies_are_shown(call: Any) -> None:
    every = json.loads(call("policy", "show", "-o", "json").stdout)
    one = json.loads(call("policy", "show", "strict", "-o", "json").stdout)
    assert one in every
    assert one["container"]["landlock"] == "required"
    assert "limits.memory_mb" in call("policy", "show", "strict").stdout
    assert call("policy", "show", "nosuch").exit_code == 6


@pytest.mark.parametrize("verb", [["image", "build"], ["cleanup"], ["pool", "stats"]])
def test_without_an_engine_the_error_says_what_to_do(call: Any, verb: list[str]) -> None:
    result = call(*verb)
    assert result.exit_code == 6
    assert "make engine" in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_run_without_an_engine(call: Any, tmp_path: Path) -> None:
    result = call("run", write(tmp_path / "m.json", code="def main():\n    pass\n"))
    assert result.exit_code == 6
    assert "make engine" in result.stderr


def test_mistakes_are_found_before_an_engine_is_asked(call: Any, tmp_path: Path) -> None:
    good = write(tmp_path / "m.json", code="def main():\n    pass\n")
    assert call("run", tmp_path / "none.json").exit_code == 2
    assert call("run", good, "--inputs", "[]").exit_code == 2
    assert call("run", good, "--inputs", f"@{tmp_path}/none").exit_code == 2


def test_settings_that_cannot_be_used_are_named(call: Any) -> None:
    result = call("policy", "show", ORCHESTRATOR_MAX_CONTAINERS="many")
    assert result.exit_code == 6
    assert "max_containers" in result.stderr.lower()


def test_doctor_without_an_engine_is_not_fit_and_says_why(call: Any) -> None:
    result = call("doctor", "-o", "json")
    document = json.loads(result.stdout)
    by_id = {each["id"]: each for each in document["checks"]}
    assert result.exit_code == 6
    assert document["fit"] is False
    assert by_id["engine.reachable"]["outcome"] == "fail"
    assert by_id["engine.seccomp"]["outcome"] == "unknown"
    assert by_id["probe.installation"]["outcome"] == "fail"
    assert "checks: no engine answered" in call("doctor").stdout
