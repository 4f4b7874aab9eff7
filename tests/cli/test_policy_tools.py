"""``orchestrator policy test``, ``diff`` and ``learn`` as a person or a script calls them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestrator.cli.app import app
from orchestrator.manifest import load_manifest, manifest_document
from orchestrator.policy import default_policy_dir
from orchestrator.records import Database, Records, Review

Call = Callable[..., Result]
EXAMPLES = default_policy_dir() / "examples"
BASE = {"manifest_version": 1, "name": "a", "version": "1.0.0"}


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def call(*arguments: str | Path, **environment: str) -> Result:
        env = {"ORCHESTRATOR_STATE_DIR": str(tmp_path / "state"), "COLUMNS": "200", **environment}
        return CliRunner().invoke(app, [str(each) for each in arguments], env=env)

    return call


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    directory = tmp_path / "policies"
    shutil.copytree(default_policy_dir(), directory)
    return directory


def edit(policies: Path, level: str, old: str, new: str) -> None:
    file = policies / f"{level}.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


# --- test ----------------------------------------------------------------------------------------------------------


def test_the_shipped_policies_pass_the_shipped_examples(call: Call) -> None:
    result = call("policy", "test", EXAMPLES)
    assert result.exit_code == 0, result.output
    assert "0 surprises" in result.stdout


def test_a_loosened_policy_is_a_surprise(call: Call, policies: Path) -> None:
    edit(policies, "relaxed", '"eval", ', "")
    result = call("policy", "test", EXAMPLES, ORCHESTRATOR_POLICY_DIR=str(policies))
    assert result.exit_code == 1
    assert "text_as_code.py: it is allowed" in result.stdout


def test_a_tightened_one_too_and_says_where(call: Call, policies: Path) -> None:
    edit(policies, "strict", '"re", "difflib"', '"difflib"')
    result = call("policy", "test", EXAMPLES, ORCHESTRATOR_POLICY_DIR=str(policies))
    assert result.exit_code == 1
    assert "word_count.py: it is denied: ORC101" in result.stdout
    assert "import re" in result.stdout
    document = json.loads(call("policy", "test", EXAMPLES, "-o", "json", ORCHESTRATOR_POLICY_DIR=str(policies)).stdout)
    assert document["ok"] is False
    assert [Path(each["file"]).name for each in document["examples"] if each["surprise"]] == ["word_count.py"]


def test_examples_are_held_against_the_enforced_policy(call: Call, policies: Path) -> None:
    edit(policies, "relaxed", "version = 1\n", 'version = 1\nenforcement = "audit"\n')
    assert call("policy", "test", EXAMPLES, ORCHESTRATOR_POLICY_DIR=str(policies)).exit_code == 0


def test_no_examples_is_a_mistake(call: Call, tmp_path: Path) -> None:
    assert call("policy", "test", tmp_path).exit_code == 2


# --- diff ----------------------------------------------------------------------------------------------------------


def test_diff_ends_like_diff(call: Call, policies: Path) -> None:
    assert call("policy", "diff", "strict", "strict").exit_code == 0
    assert call("policy", "diff", "strict", "standard").exit_code == 1
    assert call("policy", "diff", "strict", f"{policies}:strict").exit_code == 0
    assert call("policy", "diff", "strict", policies / "strict.toml").exit_code == 0
    assert call("policy", "diff", "strict", "nosuch").exit_code == 6
    assert call("policy", "diff", "strict", f"{policies}/none:strict").exit_code == 6


def test_diff_says_which_way(call: Call, policies: Path) -> None:
    edit(policies, "standard", '"json", "csv",', '"csv",')
    edit(policies, "standard", "files = 5000", "files = 6000")
    document = json.loads(call("policy", "diff", "standard", f"{policies}:standard", "-o", "json").stdout)
    assert [each["subject"] for each in document["allowed_by_a"]] == ["json"]
    assert document["allowed_by_b"] == [{"table": "limits", "subject": "files", "a": "5000", "b": "6000"}]
    assert (document["same"], document["different"]) == (False, [])
    text = call("policy", "diff", "standard", f"{policies}:standard").stdout
    assert text.index("allowed by B, not by A") < text.index("6000") < text.index("allowed by A, not by B")


# --- learn ---------------------------------------------------------------------------------------------------------


def test_learn_prints_a_patch_that_applies_and_allows_the_skill(call: Call, policies: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "skill.json"
    code = "import sched, json\ndef main():\n    return json.dumps(sched.scheduler().empty())\n"
    manifest.write_text(json.dumps({**BASE, "code": code, "vault": {"write": ["Inbox"]}}))
    where = {"ORCHESTRATOR_POLICY_DIR": str(policies)}
    before = (policies / "standard.toml").read_bytes()
    assert call("validate", manifest, **where).exit_code == 3
    result = call("policy", "learn", manifest, **where)
    assert result.exit_code == 0, result.output
    assert (policies / "standard.toml").read_bytes() == before
    patch = subprocess.run(
        ["patch", "-p1", "-d", policies], input=result.stdout.encode(), capture_output=True, check=False
    )
    assert patch.returncode == 0, patch.stdout
    assert call("validate", manifest, **where).exit_code == 0
    assert call("policy", "learn", manifest, "-o", "json", **where).exit_code == 0
    assert json.loads(call("policy", "learn", manifest, "-o", "json", **where).stdout)["diff"] == ""


def test_learn_takes_recorded_runs(call: Call, tmp_path: Path) -> None:
    skill = load_manifest({**BASE, "code": "import csv\ndef main():\n    pass\n", "security_level": "strict"})
    (tmp_path / "state").mkdir()
    with Database(tmp_path / "state" / "records.db") as database:
        Records(database).add_review(
            Review(id="1", run_id="ab12", kind="failure", reasons=("why",), digest="", code_sha256=skill.code_digest,
                   manifest_digest=skill.digest, manifest=manifest_document(skill), created_at=0, expires_at=1)
        )  # fmt: skip
    document = json.loads(call("policy", "learn", "ab12", "-o", "json").stdout)
    assert (document["level"], document["runs"]) == ("strict", 1)
    assert '+  "csv",' in document["diff"] or '"csv"' in document["diff"]
    assert call("policy", "learn", "cd34").exit_code == 2


def test_learn_of_several_levels_wants_to_know_which(call: Call, tmp_path: Path) -> None:
    for level in ("strict", "relaxed"):
        file = tmp_path / "skills" / f"{level}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({**BASE, "code": "def main():\n    pass\n", "security_level": level}))
    assert call("policy", "learn", tmp_path / "skills").exit_code == 2
    assert call("policy", "learn", tmp_path / "skills", "--level", "strict").exit_code == 0


def test_notes_do_not_get_into_the_patch(call: Call, tmp_path: Path) -> None:
    code = tmp_path / "a.py"
    code.write_text("import subprocess\n")
    result = call("policy", "learn", code)
    assert "[imports] deny names it" in result.stderr
    assert "[imports] deny names it" not in result.stdout
