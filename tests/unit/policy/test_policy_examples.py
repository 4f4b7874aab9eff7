"""``policy test``: a team's examples against its policy; every way in which they can disagree is a surprise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import PolicyError
from orchestrator.policy.examples import Outcome, examples_in, try_examples
from tests.support.policies import HOST, SHIPPED, shipped

PLAIN = {"manifest_version": 1, "name": "a", "version": "1.0.0", "code": "def main():\n    pass\n"}


def tried(directory: Path, level: str | None = None) -> dict[str, Outcome]:
    outcomes = try_examples(examples_in(directory), shipped, HOST, level)
    return {outcome.example.file.name: outcome for outcome in outcomes}


def write(directory: Path, name: str, text: str) -> None:
    file = directory / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_the_shipped_examples_hold() -> None:
    outcomes = tried(SHIPPED / "examples")
    assert {name: outcome.surprise for name, outcome in outcomes.items() if outcome.surprise} == {}
    assert {outcome.level for outcome in outcomes.values()} == {"strict", "standard", "relaxed"}
    assert all(outcome.example.rules for outcome in outcomes.values() if outcome.example.verdict == "deny")


@pytest.mark.parametrize(
    ("name", "text", "surprise"),
    [
        ("allow/good.py", "import json\n", ""),
        ("allow/bad.py", "import subprocess\n", "it is denied: ORC101"),
        ("deny/bad.py", "import subprocess\n", ""),
        ("deny/good.py", "import json\n", "it is allowed"),
        ("deny/named.py", "# expect: ORC101\nimport subprocess\n", ""),
        ("deny/other.py", "# expect: ORC101, ORC201\nimport subprocess\n", "it is denied, but not by ORC201"),
        ("deny/late.py", "x = 1\n# expect: ORC201\nimport subprocess\n", ""),  # only at the top
        ("allow/level.py", "# level: relaxed\nimport threading\n", ""),
        ("allow/strict.py", "# level: strict\nimport sqlite3\n", "it is denied: ORC101"),
        ("deny/meta.json", json.dumps({**PLAIN, "metadata": {"expect": ["POL202"]}}), "it is allowed"),
        ("deny/limit.json", json.dumps({**PLAIN, "limits": {"files": 99999}, "metadata": {"expect": "POL201"}}), ""),
        ("deny/deep/er.toml", '# expect: POL303\nmanifest_version = 1\nname = "a"\nversion = "1.0.0"\n'
         'code = "def main(): pass"\nvault = {read = [".git"]}\n', ""),
    ],
)  # fmt: skip
def test_what_is_a_surprise(tmp_path: Path, name: str, text: str, surprise: str) -> None:
    write(tmp_path, name, text)
    (outcome,) = tried(tmp_path).values()
    assert outcome.surprise == surprise


def test_an_example_that_cannot_be_loaded_is_a_surprise(tmp_path: Path) -> None:
    write(tmp_path, "deny/a.json", json.dumps({**PLAIN, "name": "a b"}))
    (outcome,) = tried(tmp_path).values()
    assert outcome.surprise.startswith("it cannot be loaded")


def test_the_callers_level_replaces_all_others(tmp_path: Path) -> None:
    write(tmp_path, "allow/a.py", "# level: relaxed\nimport threading\n")
    assert tried(tmp_path, "strict")["a.py"].surprise
    with pytest.raises(PolicyError):
        try_examples(examples_in(tmp_path), lambda _: (_ for _ in ()).throw(PolicyError("none")), HOST)


def test_a_directory_without_examples_has_none(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "x = 1\n")
    assert examples_in(tmp_path) == ()
