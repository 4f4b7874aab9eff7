"""``orchestrator validate`` over several files, its SARIF, ``orchestrator rules``, and a policy that is only tried."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from jsonschema import Draft4Validator
from typer.testing import CliRunner, Result

from orchestrator.cli.app import app
from orchestrator.cli.catalogue import entries
from orchestrator.policy import default_policy_dir
from orchestrator.policy.rules import POLICY_RULES
from orchestrator.validation.rules import RULES

Call = Callable[..., Result]
SCHEMA = json.loads((Path(__file__).parents[1] / "schemas" / "sarif-2.1.0.json").read_text("utf-8"))
HOSTILE = Path(__file__).parents[1] / "corpus" / "hostile"
BENIGN = Path(__file__).parents[1] / "corpus" / "benign"


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def call(*arguments: str | Path, **environment: str) -> Result:
        env = {
            "DOCKER_HOST": "tcp://127.0.0.1:1",
            "ORCHESTRATOR_STATE_DIR": str(tmp_path / "state"),
            "ORCHESTRATOR_CACHE_DIR": str(tmp_path / "cache"),
            "COLUMNS": "200",
            **environment,
        }
        return CliRunner().invoke(app, [str(each) for each in arguments], env=env)

    return call


@pytest.fixture
def skills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of skills that is the current one: allowed, denied in a file of its own, denied inline, not valid."""
    home = tmp_path / "skills"
    (home / "deep er").mkdir(parents=True)
    (home / ".hidden").mkdir()
    base = {"manifest_version": 1, "name": "a", "version": "1.0.0"}
    (home / "good.json").write_text(json.dumps({**base, "code": "def main():\n    return 1\n"}))
    (home / "bad.json").write_text(json.dumps({**base, "code_file": "deep er/b#d?.py"}))
    (home / "deep er" / "b#d?.py").write_text("é = 'ü'; import subprocess\ndef main():\n    return eval('1')\n")
    (home / "inline.json").write_text(json.dumps({**base, "code": "import os\ndef main():\n    pass\n"}))
    (home / "manifest.toml").write_text('manifest_version = 1\nname = "t"\nversion = "1.0.0"\ncode_file = "t.py"\n')
    (home / "t.py").write_text("def main():\n    return 1\n")
    (home / "broken.json").write_text(json.dumps({**base, "name": "a b", "code": "x = 1"}))
    (home / "no-manifest.json").write_text("{}")
    (home / ".hidden" / "x.py").write_text("eval('1')")
    monkeypatch.chdir(home)
    return home


def sarif(call: Call, *arguments: str | Path, **environment: str) -> dict[str, Any]:
    result = call("validate", *arguments, "-o", "sarif", **environment)
    log: dict[str, Any] = json.loads(result.stdout)
    assert [error.message for error in Draft4Validator(SCHEMA).iter_errors(log)] == []
    assert log["runs"][0]["invocations"][0]["exitCode"] == result.exit_code
    return log


def results(log: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = log["runs"][0]["results"]
    return found


def address(result: dict[str, Any]) -> str:
    uri: str = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    return uri


# --- several files -------------------------------------------------------------------------------------------------


def test_a_directory_is_every_skill_below_it(call: Call, skills: Path) -> None:
    document = json.loads(call("validate", skills, "-o", "json").stdout)
    verdicts = {Path(each["file"]).name: each["valid"] for each in document["files"]}
    assert verdicts == {"bad.json": False, "broken.json": False, "good.json": True, "inline.json": False,
                        "manifest.toml": True}  # fmt: skip
    assert document["valid"] is False


@pytest.mark.parametrize(
    ("names", "code"),
    [(["good.json"], 0), (["good.json", "bad.json"], 3), (["bad.json", "broken.json", "good.json"], 2)],
)
def test_it_ends_with_the_gravest(call: Call, skills: Path, names: list[str], code: int) -> None:
    assert call("validate", *names).exit_code == code


def test_a_directory_without_skills_is_a_mistake(call: Call, skills: Path) -> None:
    (skills / "empty").mkdir()
    assert call("validate", skills / "empty").exit_code == 2


def test_links_to_directories_are_not_followed(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.py").write_text("x = 1\n")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    assert len(json.loads(call("validate", tmp_path / "in", "-o", "json").stdout)["files"]) == 1


# --- SARIF ---------------------------------------------------------------------------------------------------------


def test_sarif_has_the_place_the_rule_and_what_to_do(call: Call, skills: Path) -> None:
    found = {(each["ruleId"], each["properties"]["subject"]): each for each in results(sarif(call, "bad.json"))}
    result = found["ORC101", "subprocess"]
    at = result["locations"][0]["physicalLocation"]
    assert at["region"] == {"startLine": 1, "startColumn": 17}  # characters, not bytes
    assert at["artifactLocation"] == {"uri": "deep%20er/b%23d%3F.py", "uriBaseId": "%SRCROOT%"}
    assert result["level"] == "error"
    assert "What to do: " in result["message"]["text"]


def test_sarif_addresses_are_uris_that_lead_back_to_the_file(call: Call, skills: Path, tmp_path: Path) -> None:
    outside = tmp_path / "a:b [x](y) é.py"
    outside.write_text("import subprocess\n")
    inside = Path("c:d.py")
    inside.write_text("import subprocess\n")
    odd = Path(os.fsdecode(b"\xff.py"))
    odd.write_text("import subprocess\n")
    for file in (outside, inside, odd):
        uri = urlsplit(address(results(sarif(call, file))[0]))
        assert uri.query == uri.fragment == ""
        assert uri.scheme == ("file" if file is outside else "")
        assert os.fsencode(unquote(uri.path, errors="surrogateescape")) == os.fsencode(file)


def test_sarif_of_a_manifest(call: Call, skills: Path) -> None:
    broken = results(sarif(call, "broken.json"))
    assert {each["ruleId"] for each in broken} == {"MAN001"}
    logical = {each["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] for each in broken}
    assert "/name" in logical
    (inline, *_) = results(sarif(call, "inline.json"))
    assert address(inline) == "inline.json"
    assert "region" not in inline["locations"][0]["physicalLocation"]  # a line of the code is no line of the manifest
    assert inline["message"]["text"].startswith("line 1:8 of the code: ")


def test_every_result_names_a_rule_that_is_described(call: Call, skills: Path) -> None:
    log = sarif(call, skills, HOSTILE)
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert len({result["ruleId"] for result in results(log)}) > 15
    for result in results(log):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert {each["id"] for each in rules} >= {*RULES, *POLICY_RULES}


def test_a_fingerprint_survives_a_move_and_tells_equal_lines_apart(call: Call, skills: Path) -> None:
    def fingerprints(code: str) -> list[str]:
        Path("f.py").write_text(code)
        found = results(sarif(call, "f.py"))
        return [next(iter(each["partialFingerprints"].values())) for each in found if each["ruleId"] == "ORC201"]

    before = fingerprints("eval('1')\neval('1')\nexec('2')\n")
    assert len(set(before)) == 3
    assert fingerprints("x = 1\n\n\neval('1')\neval('1')\nexec('2')\n") == before


def test_a_stranger_cannot_put_a_link_into_a_message(call: Call, skills: Path) -> None:
    Path("l.json").write_text(
        json.dumps({"manifest_version": 1, "name": "[click](http://x)", "version": "1.0.0", "code": "x=1"})
    )
    assert "](" not in json.dumps([each["message"] for each in results(sarif(call, "l.json"))])


def test_benign_skills_have_no_errors(call: Call) -> None:
    assert [each for each in results(sarif(call, BENIGN)) if each["level"] == "error"] == []


# --- rules ---------------------------------------------------------------------------------------------------------


def test_rules_lists_every_rule(call: Call) -> None:
    document = json.loads(call("rules", "-o", "json").stdout)
    assert [each["id"] for each in document] == list(entries())
    assert all(each["title"] and each["why"] and each["fix"] for each in document)
    assert "ORC101" in call("rules").stdout


def test_one_rule_and_a_group(call: Call) -> None:
    assert "what to do" not in call("rules", "ORC202").stdout
    assert "an attribute whose name is computed" in call("rules", "orc202").stdout
    group = json.loads(call("rules", "POL3", "-o", "json").stdout)
    assert {each["id"][:4] for each in group} == {"POL3"}
    assert call("rules", "NOPE").exit_code == 2


def test_rules_say_what_a_level_makes_of_them(call: Call) -> None:
    found = {
        each["id"]: each["treatment"] for each in json.loads(call("rules", "--level", "standard", "-o", "json").stdout)
    }
    assert found["ORC305"] == "warn"
    assert found["ORC202"] == "deny"
    assert found["ORC101"] == "lists decide"
    assert call("rules", "--level", "nosuch").exit_code == 6


# --- a policy that is tried ----------------------------------------------------------------------------------------


def test_audit_reports_and_lets_through(call: Call, skills: Path) -> None:
    result = call("validate", "bad.json", "--enforcement", "audit")
    assert result.exit_code == 0
    assert "would deny ORC101" in result.stdout
    assert "only tried (audit)" in result.stdout
    document = json.loads(call("validate", "bad.json", "--enforcement", "audit", "-o", "json").stdout)
    assert (document["enforcement"], document["violations"]) == ("audit", [])
    assert {each["rule"] for each in document["would_deny"]} >= {"ORC101", "ORC201"}
    assert {each["level"] for each in results(sarif(call, "bad.json", "--enforcement", "audit"))} == {"warning"}
    assert call("validate", "bad.json", "--enforcement", "enforce").exit_code == 3


def test_a_policy_file_can_say_audit_and_a_caller_enforce(call: Call, skills: Path, tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    shutil.copytree(default_policy_dir(), policies)
    file = policies / "standard.toml"
    file.write_text(file.read_text().replace("version = 1\n", 'version = 1\nenforcement = "audit"\n', 1))
    where = {"ORCHESTRATOR_POLICY_DIR": str(policies)}
    assert call("validate", "bad.json", **where).exit_code == 0
    assert call("validate", "bad.json", "--enforcement", "enforce", **where).exit_code == 3
    listed = json.loads(call("rules", "--level", "standard", "-o", "json", **where).stdout)
    treatments = {each["id"]: each["treatment"] for each in listed}
    assert treatments["ORC202"] == "deny (audit: reported)"
    assert treatments["ORC001"] == treatments["POL201"] == "deny"
    file.write_text(file.read_text().replace('"audit"', '"off"'))
    assert call("policy", "check", "--dry-run", **where).exit_code == 6
