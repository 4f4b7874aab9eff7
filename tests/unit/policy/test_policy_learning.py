"""``policy learn``: the least policy for recorded runs allows them, and nothing that neither they nor the level had."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import PolicyError
from orchestrator.manifest.model import SkillManifest, VaultGrants
from orchestrator.manifest.sources import load_skill
from orchestrator.policy import Policy, load_policy
from orchestrator.policy.difference import difference
from orchestrator.policy.edit import edited, unified
from orchestrator.policy.learning import Evidence, Proposal, propose
from orchestrator.sandbox.spec import Limits
from orchestrator.validation.scanner import inspect
from tests.support.policies import CORPUS, PROFILE, SHIPPED, decide, shipped
from tests.support.policies import skill as made

PROFILES = {"sandbox.json": PROFILE}
BENIGN = sorted((CORPUS / "benign").glob("*.py"))
HOSTILE = sorted((CORPUS / "hostile").rglob("*.py"))


def skill(code: str = "x = 1\n", **changes: Any) -> SkillManifest:
    """A script: it needs no entry point."""
    return made(code, entrypoint=None, **changes)


def text_of(level: str) -> str:
    return (SHIPPED / f"{level}.toml").read_text("utf-8")


def learnt(level: str, skills: Sequence[SkillManifest]) -> tuple[Policy, Proposal]:
    """Through the file's text, as the command does it."""
    proposal = propose(shipped(level), [Evidence(each, inspect(each)) for each in skills])
    text = edited(text_of(level), proposal.tables)
    return load_policy(level, text.encode(), PROFILES), proposal


def as_level(file: Path, level: str) -> SkillManifest:
    return replace(load_skill(file), security_level=level)


@pytest.mark.parametrize("level", ["standard", "relaxed"])
def test_the_least_policy_allows_what_it_was_learnt_from(level: str) -> None:
    skills = [as_level(file, level) for file in BENIGN]
    policy, _ = learnt(level, skills)
    assert {each.name for each in skills if not decide(policy, each).allowed} == set()


@pytest.mark.parametrize("file", BENIGN, ids=lambda file: file.stem)
def test_each_skill_alone_is_allowed_and_nothing_is_loosened(file: Path) -> None:
    each = as_level(file, "standard")
    policy, _ = learnt("standard", [each])
    assert decide(policy, each).violations == ()
    assert [one for one in difference(shipped("standard"), policy) if one.effect == "looser"] == []


def test_another_skill_is_not_allowed_by_it() -> None:
    policy, _ = learnt("standard", [skill("import json\ndef main():\n    return json.dumps(1)\n")])
    assert decide(policy, skill("import json\nx = json.loads('1')\n")).allowed
    assert not decide(policy, skill("import csv\n")).allowed
    assert not decide(policy, skill("def f():\n    return f.__name__\n")).allowed
    assert not decide(policy, skill(vault=VaultGrants(read=("notes",)))).allowed


def test_of_a_module_that_is_not_allowed_only_the_used_names_are_proposed() -> None:
    wanted = skill("import os\nimport os.path\ndef main():\n    return os.sep, os.path.join('a', 'b')\n")
    policy, _ = learnt("standard", [wanted])
    assert decide(policy, wanted).violations == ()
    assert "os" not in policy.parts.code.imports_allow.names
    assert not decide(policy, skill("import os\nx = os.getcwd()\n")).allowed


def test_what_was_used_leaves_the_deny_lists_of_calls_and_builtins() -> None:
    wanted = skill("import yaml\nx = yaml.load('1', yaml.Loader)\ny = vars(object)\n", dependencies=("PyYAML",))
    policy, _ = learnt("standard", [wanted])
    assert decide(policy, wanted).violations == ()
    assert policy.parts.code.dependencies_allowed == {"pyyaml"}
    assert "vars" not in policy.parts.code.builtins_deny
    assert {"eval", "exec"} <= policy.parts.code.builtins_deny
    assert not decide(policy, skill("import yaml\nyaml.unsafe_load('1')\n", dependencies=("PyYAML",))).allowed


@pytest.mark.parametrize("file", HOSTILE, ids=lambda file: file.stem)
def test_the_boundary_is_never_proposed(file: Path) -> None:
    """Whatever a run did: modules on the deny list, mandatory rules, forbidden paths, container and guards stay."""
    level = "standard"
    before = shipped(level)
    try:
        hostile = as_level(file, level)
    except Exception:  # noqa: BLE001 - a text that is no skill at all
        return
    hostile = replace(hostile, vault=VaultGrants(write=(".git/hooks", "notes")), limits=Limits(file_mb=10**6))
    policy, proposal = learnt(level, [hostile])
    looser = {(one.table, one.subject) for one in difference(before, policy) if one.effect == "looser"}
    assert {table for table, _ in looser} <= {
        "imports",
        "builtins",
        "calls",
        "attributes",
        "rules",
        "limits",
        "dependencies",
    }
    assert not any(before.parts.code.imports_deny.cover(name) for table, name in looser if table == "imports")
    assert policy.parts.code.imports_deny == before.parts.code.imports_deny
    assert policy.parts.container == before.parts.container
    assert policy.parts.guards == before.parts.guards
    assert policy.parts.vault.forbidden == before.parts.vault.forbidden
    assert policy.parts.vault.write == ("notes",)
    assert any(".git/hooks" in note for note in proposal.notes)
    assert any("file_mb" in note for note in proposal.notes)


def test_notes_say_what_a_person_must_decide() -> None:
    _, proposal = learnt("standard", [skill("import subprocess\n"), skill("def f(:\n")])
    notes = " / ".join(proposal.notes)
    assert "subprocess is used and [imports] deny names it" in notes
    assert "ORC001" in notes


def test_limits_are_what_was_asked_for_rounded_up() -> None:
    runs = [skill(limits=Limits(memory_mb=33, wall_seconds=7.5)), skill(limits=Limits(memory_mb=20, wall_seconds=2))]
    policy, _ = learnt("standard", runs)
    assert (policy.parts.ceilings.memory_mb, policy.parts.ceilings.wall_seconds) == (48, 10)


def test_peaks_far_below_are_told_and_change_nothing() -> None:
    run = skill(limits=Limits(memory_mb=400))
    proposal = propose(shipped("standard"), [Evidence(run, inspect(run), peaks={"memory_mb": 40.0})])
    assert proposal.tables["limits"]["memory_mb"] == 400
    assert any("at most 40 was used" in note for note in proposal.notes)


def test_roots_are_the_outermost_grants() -> None:
    run = skill(vault=VaultGrants(read=("notes/a", "notes"), write=("notes/inbox", "tags")))
    policy, _ = learnt("standard", [run])
    assert policy.parts.vault.read == ("notes",)
    assert policy.parts.vault.write == ("notes/inbox", "tags")


def test_imports_at_run_time_count() -> None:
    run = skill()
    proposal = propose(shipped("standard"), [Evidence(run, inspect(run), imported=("csv",))])
    assert proposal.tables["imports"]["allow"] == ("csv",)


def test_nothing_teaches_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        propose(shipped("standard"), [])


# --- the file's text -----------------------------------------------------------------------------------------------


def test_comments_and_the_rest_of_the_file_stay() -> None:
    before = text_of("standard")
    after = edited(before, {"imports": {"allow": ("json", "os.sep")}, "limits": {"files": 7}})
    assert [line for line in before.split("\n") if line.lstrip().startswith("#") and line not in after] == []
    assert tomllib.loads(after)["container"] == tomllib.loads(before)["container"]
    assert "+files = 7" in unified(before, after, "standard.toml").split("\n")


def test_no_change_is_no_difference() -> None:
    before = text_of("standard")
    same: dict[str, dict[str, Any]] = {
        "limits": {"files": 5000},
        "builtins": {"deny": tuple(tomllib.loads(before)["builtins"]["deny"])},
    }
    assert edited(before, same) == before
    assert unified(before, before, "x") == ""


@pytest.mark.parametrize(
    ("before", "value"),
    [
        ('[a]\nb = ["x", "y"] # note\n', ("x",)),
        ('[a]\nb = [\n  "x", # one ] bracket\n  "y",\n]\n', ("y", "z")),
        ("[a]\nb = []\n", tuple(f"name{number}" for number in range(60))),
        ("[other]\nb = 1\n", ("x",)),
        ('[a]\nc = "b = 1"\n', ("x",)),
        ('[a]\nb = ["x"]\n[a.c]\nb = ["x"]\n', ("q",)),
    ],
)
def test_lists_are_edited_however_they_are_written(before: str, value: tuple[str, ...]) -> None:
    assert sorted(tomllib.loads(edited(before, {"a": {"b": value}}))["a"]["b"]) == sorted(value)


@pytest.mark.parametrize(
    "before", ['a = {b = ["x"]}\n', 'a.b = ["x"]\n', "[a]\nb = ['x',\n 'y']\n", '["a"]\nb = ["x"]\n']
)
def test_what_is_written_too_oddly_is_an_error_and_no_other_policy(before: str) -> None:
    with pytest.raises(PolicyError):
        edited(before, {"a": {"b": ("z",)}})
