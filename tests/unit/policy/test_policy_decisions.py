"""Decisions: default deny, every violation reported, nothing widened or clamped."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.manifest.model import VaultGrants
from orchestrator.policy import Decision, Policy
from orchestrator.policy.model import DottedNames
from orchestrator.policy.paths import forbidden_by
from orchestrator.policy.rules import POLICY_RULES
from orchestrator.sandbox.spec import Limits
from orchestrator.validation.finding import Finding
from orchestrator.validation.scanner import inspect
from tests.support.policies import HOST, LEVELS, decide, shipped, skill

POLICIES = {level: shipped(level) for level in LEVELS}
STANDARD = POLICIES["standard"]


def rules_of(decision: Decision) -> set[str]:
    return {violation.rule for violation in decision.violations}


def with_parts(policy: Policy, **changes: Any) -> Policy:
    return replace(policy, parts=replace(policy.parts, **changes))


@pytest.mark.parametrize("level", LEVELS)
def test_the_defaults_of_a_manifest_fit_every_level(level: str) -> None:
    decision = decide(POLICIES[level], skill(level=level))
    assert decision.allowed
    assert decision.limits == Limits()
    assert decision.spec is not None
    assert decision.spec.level == level
    assert decision.spec.image_id == HOST.image_id
    assert json.loads(decision.spec.seccomp)["defaultAction"] == "SCMP_ACT_ERRNO"


def test_a_denial_carries_nothing_to_run_with() -> None:
    decision = decide(STANDARD, skill("import os"))
    assert not decision.allowed
    assert (decision.spec, decision.limits, decision.grants, decision.guards) == (None, None, None, None)


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_each_limit_has_a_ceiling(name: str) -> None:
    ceiling = getattr(STANDARD.parts.ceilings, name)
    at = decide(STANDARD, skill(limits=replace(Limits(), **{name: ceiling})))
    over = decide(STANDARD, skill(limits=replace(Limits(), **{name: ceiling + 1})))
    assert at.allowed
    (found,) = over.violations
    assert (found.rule, found.subject) == ("POL201", f"limits.{name}")
    assert f"{ceiling:g}" in found.message
    assert f"{ceiling:g}" in found.fix


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "60", None])
def test_a_limit_that_is_no_number_is_denied(value: object) -> None:
    limits = replace(Limits(), wall_seconds=value)  # type: ignore[arg-type]
    assert rules_of(decide(STANDARD, skill(limits=limits))) == {"POL202"}


def test_everything_wrong_is_reported_at_once() -> None:
    wanted = skill(
        "import subprocess\neval('1')",
        limits=replace(Limits(), memory_mb=10**6),
        vault=VaultGrants(read=("../x",), write=(".git",)),
        dependencies=("numpy", "x @ https://example.org/x.whl"),
    )
    expected = {"ORC101", "ORC201", "POL201", "POL305", "POL303", "POL403", "POL402"}
    decision = decide(STANDARD, wanted)
    assert expected <= rules_of(decision)
    assert all(v.fix and v.message and v.severity == "error" for v in decision.violations)


def test_the_level_must_be_the_policys() -> None:
    assert rules_of(decide(STANDARD, skill(level="relaxed"))) == {"POL101"}


def test_an_inspection_of_other_code_is_denied() -> None:
    decision = STANDARD.evaluate(skill("import os"), inspect(skill("x = 1")), HOST)
    assert rules_of(decision) == {"POL102"}


def test_an_unknown_rule_denies() -> None:
    wanted = skill()
    inspection = inspect(wanted)
    strange = replace(inspection, findings=(Finding("ORC999", "x", "something new", severity="info"),))
    assert rules_of(STANDARD.evaluate(wanted, strange, HOST)) == {"ORC999"}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("pyyaml>=6", None),
        ("PyYAML", None),
        ("pyyaml<6", "POL405"),
        ("numpy", "POL403 POL404"),
        ("pyyaml @ file:///tmp/x", "POL402"),
        ("git+https://example.org/x", "POL402"),
        ("x @ git+https://example.org/x@main", "POL402"),
        ("https://example.org/x.whl", "POL402"),
        ("./x", "POL406"),
        ("/srv/x", "POL406"),
        ("x-1.0-py3-none-any.whl", "POL406"),
        ("C:\\x", "POL406"),
        ("-e .", "POL407"),
        ("-r more.txt", "POL407"),
        ("--extra-index-url https://example.org/", "POL407"),
        ("pyyaml[extra]", "POL401"),
        ("pyyaml; os_name == 'nt'", "POL401"),
        ("--index-url x", "POL407"),
        ("", "POL401"),
        ("pyyaml" + " " * 600, "POL401"),
    ],
)
def test_dependencies(text: str, rule: str | None) -> None:
    assert rules_of(decide(STANDARD, skill(dependencies=(text,)))) == set((rule or "").split())


def test_a_dependency_the_image_lacks_is_denied_even_if_any_is_allowed() -> None:
    assert rules_of(decide(POLICIES["relaxed"], skill(level="relaxed", dependencies=("numpy",)))) == {"POL404"}


def test_an_accepted_dependency_may_be_imported() -> None:
    host = replace(HOST, packages={"python-dateutil": "2.9"})
    code = "from dateutil import parser\nx = parser.parse('2024')"
    relaxed = POLICIES["relaxed"]
    without = decide(relaxed, skill(code, "relaxed"), host)
    declared = decide(relaxed, skill(code, "relaxed", dependencies=("python-dateutil",)), host)
    assert rules_of(without) == {"ORC101"}
    assert declared.allowed
    assert declared.guards is not None
    assert "dateutil" in declared.guards.imports


@pytest.mark.parametrize("path", ["/etc", "..", "a/../b", "", "a//b", "a\\b", "a\nb", "./a", "a/."])
def test_odd_paths_are_denied(path: str) -> None:
    assert "POL305" in rules_of(decide(STANDARD, skill(vault=VaultGrants(read=(path,)))))


def test_grants_stay_below_the_roots() -> None:
    vault = replace(STANDARD.parts.vault, read=("notes",), write=("out",))
    policy = with_parts(STANDARD, vault=vault)
    ok = VaultGrants(read=("notes/a", "out"), write=("out/b",))
    assert decide(policy, skill(vault=ok)).grants == ok
    assert rules_of(decide(policy, skill(vault=VaultGrants(read=("notesx",))))) == {"POL301"}
    assert rules_of(decide(policy, skill(vault=VaultGrants(write=("notes",))))) == {"POL302"}


@pytest.mark.parametrize(
    "path",
    [".obsidian", ".OBSIDIAN/plugins/x/main.js", "a/b/c/.git/hooks/pre-commit", ".g\u200cit/config", ".git ./x",
     "GIT~1", "notes/CLAUDE.md", "x/agents.md", "x/run.desktop", "x/y.LNK", "\uff0egit/config", "deep/.bashrc", ".Git"],
)  # fmt: skip
def test_forbidden_paths(path: str) -> None:
    for level in LEVELS:
        assert forbidden_by(path, POLICIES[level].parts.vault.forbidden), level


@pytest.mark.parametrize("path", ["notes/git.md", "agents/list.md", "x.desktop.md", "My.obsidian.notes", ".", "a.b/c"])
def test_ordinary_paths_are_not_forbidden(path: str) -> None:
    assert all(forbidden_by(path, POLICIES[level].parts.vault.forbidden) is None for level in LEVELS)


def test_landlock() -> None:
    host = replace(HOST, landlock=False)
    assert rules_of(decide(POLICIES["strict"], skill(level="strict"), host)) == {"POL501"}
    assert decide(STANDARD, skill(), host).allowed


def test_the_view_is_the_policys_wish_if_it_works_here() -> None:
    asks = VaultGrants(read=("notes",))

    def view(level: str, views: tuple[Any, ...]) -> str:
        decision = decide(POLICIES[level], skill(level=level, vault=asks), replace(HOST, views=views))
        return decision.spec.vault_view if decision.spec else ",".join(sorted(rules_of(decision)))

    assert view("standard", ("overlay", "copy")) == "overlay"
    assert view("standard", ("copy",)) == "copy"
    assert view("strict", ("overlay", "copy")) == "copy"
    assert view("strict", ("overlay",)) == "POL502"
    assert view("standard", ("none",)) == "POL304"


def test_without_a_vault_the_view_is_none() -> None:
    decision = decide(STANDARD, skill(), replace(HOST, views=("none",)))
    assert decision.spec is not None
    assert decision.spec.vault_view == "none"


def test_the_warm_spec_is_the_one_that_skills_get() -> None:
    for level, policy in POLICIES.items():
        plain = decide(policy, skill(level=level)).spec
        asking = decide(policy, skill(level=level, vault=VaultGrants(read=("notes",)))).spec
        assert plain == asking == policy.warm_spec(HOST)


@pytest.mark.parametrize("change", [{"uid": 0}, {"gid": 0}, {"image_id": "skills:latest"}])
def test_an_unfit_installation_is_denied(change: dict[str, Any]) -> None:
    assert rules_of(decide(STANDARD, skill(), replace(HOST, **change))) == {"POL503"}


def test_syntax_of_a_later_python_is_denied() -> None:
    wanted = skill()
    later = Finding("ORC010", "3.14", "uses syntax of Python 3.14", severity="info", line=3)
    (found,) = STANDARD.evaluate(wanted, replace(inspect(wanted), findings=(later,)), HOST).violations
    assert found.rule == "POL504"
    assert "line 3" in found.message


def test_warn_and_off() -> None:
    wanted = skill("import pdb\nx = pdb.run(1)")

    def ruled(**rules: Any) -> Decision:
        return decide(with_parts(STANDARD, code=replace(STANDARD.parts.code, rules=rules)), wanted)

    assert not ruled().allowed
    warned = ruled(ORC101="warn")
    assert warned.allowed
    assert [(w.rule, w.severity) for w in warned.warnings] == [("ORC101", "info")]  # the rule's own
    assert ruled(ORC101="off").warnings == ()
    unreadable = with_parts(STANDARD, code=replace(STANDARD.parts.code, rules={"ORC001": "off"}))
    assert rules_of(decide(unreadable, skill("def"))) == {"ORC001"}


def test_guards_name_modules_not_parts() -> None:
    decision = decide(STANDARD, skill())
    assert decision.guards is not None
    assert {"sys", "json", "xml.etree", "urllib.parse"} <= set(decision.guards.imports)
    assert not {"sys.maxsize", "os.path.join", "subprocess", "urllib"} & set(decision.guards.imports)
    assert "eval" in decision.guards.denied_builtins


def test_every_policy_rule_is_met_by_these_tests() -> None:
    source = Path(__file__).read_text("utf-8")
    assert [rule for rule in POLICY_RULES if f'"{rule}"' not in source] == []


# -- properties -------------------------------------------------------------------------------------------------

LIMITS = st.builds(
    Limits,
    memory_mb=st.integers(-5, 4000),
    cpu_seconds=st.floats(),
    wall_seconds=st.floats(0.1, 1000),
    pids=st.integers(0, 600),
    output_kb=st.integers(1, 20000),
)
PATHS = st.sampled_from([".", "notes", "notes/a", "../x", ".git", "out", "/etc", "a/.obsidian/x"])
PATH_LISTS = st.lists(PATHS, max_size=2).map(tuple)
GRANTS = st.builds(VaultGrants, read=PATH_LISTS, write=PATH_LISTS)
CODES = st.sampled_from(
    [
        "x = 1",
        "import json",
        "import os",
        "import csv\ncsv.reader([])",
        "from math import pi",
        "eval('1')",
        "import yaml",
    ]
)
DEPENDENCIES = st.lists(st.sampled_from(["pyyaml", "numpy", "x @ file:///y"]), max_size=2).map(tuple)
SKILLS = st.builds(
    lambda code, limits, vault, dependencies: skill(code, limits=limits, vault=vault, dependencies=dependencies),
    CODES, LIMITS | st.just(Limits()), GRANTS, DEPENDENCIES,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(SKILLS)
def test_a_manifest_never_widens_a_policy(wanted: Any) -> None:
    decision = decide(STANDARD, wanted)
    assert decision.allowed == (not decision.violations)
    if decision.allowed:
        assert decision.limits == wanted.limits
        assert decision.spec == STANDARD.warm_spec(HOST)
        assert decision.guards == decide(STANDARD, skill(dependencies=wanted.dependencies)).guards
        for field in fields(Limits):
            assert 0 < getattr(wanted.limits, field.name) <= getattr(STANDARD.parts.ceilings, field.name)
        for path in (*wanted.vault.read, *wanted.vault.write):
            assert forbidden_by(path, STANDARD.parts.vault.forbidden) is None


@settings(max_examples=100, deadline=None)
@given(SKILLS, st.sampled_from([field.name for field in fields(Limits)]), st.integers(0, 10_000))
def test_a_higher_ceiling_never_denies(wanted: Any, name: str, more: int) -> None:
    before = decide(STANDARD, wanted)
    ceilings = replace(STANDARD.parts.ceilings, **{name: getattr(STANDARD.parts.ceilings, name) + more})
    after = decide(with_parts(STANDARD, ceilings=ceilings), wanted)
    assert after.allowed or not before.allowed
    assert rules_of(after) <= rules_of(before)


@settings(max_examples=100, deadline=None)
@given(SKILLS, st.sets(st.sampled_from(["json", "csv.reader", "math", "yaml", "os", "re"]), min_size=1))
def test_a_denied_import_never_allows(wanted: Any, denied: set[str]) -> None:
    code = STANDARD.parts.code
    stricter = replace(code, imports_deny=DottedNames(code.imports_deny.names | denied))
    before, after = decide(STANDARD, wanted), decide(with_parts(STANDARD, code=stricter), wanted)
    assert before.allowed or not after.allowed
    assert rules_of(before) <= rules_of(after)
