"""Which violations audit mode lets through: the lists', never the boundary's; an unknown rule never."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.manifest.model import VaultGrants
from orchestrator.policy.enforcement import AUDITED, is_audited, noted_by_guards, split
from orchestrator.policy.rules import GUARD_RULES, POLICY_RULES
from orchestrator.sandbox.spec import Limits
from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import RULES
from orchestrator.validation.scanner import inspect
from tests.support.policies import HOST, shipped, skill


@pytest.mark.parametrize("rule", [*RULES, *POLICY_RULES, "ORC999", "XYZ1", "VLT201"])
def test_only_what_lists_judge_is_let_through(rule: str) -> None:
    finding = Finding(rule, "x", "y")
    loosenable = rule in RULES and not RULES[rule].mandatory
    assert is_audited(finding) == (loosenable or rule in AUDITED)
    assert split([finding], "enforce") == ((finding,), ())
    assert split([finding], "audit") == (((), (finding,)) if is_audited(finding) else ((finding,), ()))


def test_a_decision_in_audit_mode() -> None:
    wanted = skill("import numpy, subprocess\ndef main():\n    return eval('1')\n", dependencies=("numpy",),
                   vault=VaultGrants(read=("notes",)))  # fmt: skip
    policy = shipped("standard")
    policy = replace(policy, parts=replace(policy.parts, vault=replace(policy.parts.vault, read=("a",), write=())))
    host = replace(HOST, packages={"numpy": "2.0"})
    enforced = policy.evaluate(wanted, inspect(wanted), host)
    audited = policy.evaluate(wanted, inspect(wanted), host, "audit")
    assert not enforced.allowed
    assert enforced.guards is None
    assert audited.allowed
    assert audited.spec is not None
    assert audited.guards is not None
    assert audited.guards.audit
    assert "numpy" in audited.guards.imports
    assert {"POL301", "POL403", "ORC101", "ORC201"} <= {finding.rule for finding in audited.would_deny}
    assert {"POL301", "POL403"} <= {finding.rule for finding in enforced.violations}


@pytest.mark.parametrize("packages", [{}, {"other": "1"}])
def test_a_package_that_is_not_there_is_denied_however_it_is_judged(packages: dict[str, str]) -> None:
    wanted = skill(dependencies=("numpy",))
    audited = shipped("standard").evaluate(wanted, inspect(wanted), replace(HOST, packages=packages), "audit")
    assert {finding.rule for finding in audited.violations} == {"POL404"}
    assert {finding.rule for finding in audited.would_deny} == {"POL403"}


def test_with_one_thing_of_the_boundary_nothing_runs() -> None:
    wanted = skill("import subprocess\ndef main():\n    pass\n", limits=Limits(memory_mb=10**6))
    audited = shipped("standard").evaluate(wanted, inspect(wanted), HOST, "audit")
    assert (audited.allowed, audited.spec, audited.guards) == (False, None, None)
    assert {finding.rule for finding in audited.violations} == {"POL201"}
    assert {finding.rule for finding in audited.would_deny} == {"ORC101"}


def test_the_policys_own_mode_counts_and_is_in_its_digest() -> None:
    policy = shipped("standard")
    tried = replace(policy, parts=replace(policy.parts, enforcement="audit"))
    wanted = skill("import subprocess\ndef main():\n    pass\n")
    assert tried.evaluate(wanted, inspect(wanted), HOST).allowed
    assert not tried.evaluate(wanted, inspect(wanted), HOST, "enforce").allowed


def test_notes_of_the_guards_become_findings_with_rules_once() -> None:
    known = [Finding("ORC101", "os", "import of os")]
    notes = [
        "import os",
        "import socket",
        "builtin eval",
        "event os.fork",
        "opens 5",
        "nonsense",
        "frob x",
        "import \x1b[2J",
    ]
    found = noted_by_guards(notes, known)
    assert [finding.rule for finding in found] == ["GRD101", "GRD201", "GRD301", "GRD401", "GRD101"]
    assert {finding.rule for finding in found} <= set(GUARD_RULES)
    assert not any("\x1b" in f"{finding.subject}{finding.message}" for finding in found)
