"""Whatever a manifest says, at any level: a decision never gives more than the policy does."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ManifestError
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.policy import Decision, Policy
from orchestrator.policy.given import with_inputs
from orchestrator.policy.paths import forbidden_by, is_within
from orchestrator.policy.requests import modules_of
from orchestrator.sandbox.spec import Limits
from tests.support.policies import HOST, LEVELS, decide, shipped, skill

POLICIES = {level: shipped(level) for level in LEVELS}
PLAIN = {level: decide(POLICIES[level], skill(level=level)) for level in LEVELS}

NUMBERS = st.integers(-1, 10**6) | st.floats(-1, 10**6) | st.sampled_from([True, "60", None, 16, 64, 100])
PATHS = st.sampled_from([".", "notes", "notes/a", "../x", ".git", "/etc", "a/.obsidian", "a//b", "CLAUDE.md", "a/./b"])
WORDS = st.sampled_from(["a", "network", "host", "privileged", "image", "user", "runtime", "seccomp", "off", "warn"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | WORDS, lambda x: st.lists(x) | st.dictionaries(WORDS, x)
)
CODES = st.sampled_from(
    [
        "def main(**inputs):\n    return 1\n",
        "import json\ndef main(**inputs):\n    return json.dumps(inputs)\n",
        "import os\ndef main(**inputs):\n    return os.environ\n",
        "import yaml\ndef main(a=1):\n    return yaml.safe_load('a')\n",
        "def main(**inputs):\n    open('/vault/x', 'w')\n",
        "eval('1')\n",
    ]
)
REQUIREMENTS = st.sampled_from(["pyyaml", "PyYAML>=6", "pyyaml<6", "numpy", "x @ file:///y", "-e .", "requests"])
# Keys of a manifest with what fits and what does not, and keys that it does not have.
KEYS: dict[str, st.SearchStrategy[Any]] = {
    "limits": st.dictionaries(st.sampled_from([field.name for field in fields(Limits)]), NUMBERS, max_size=4),
    "vault": st.fixed_dictionaries(
        {}, optional={"read": st.lists(PATHS, max_size=3), "write": st.lists(PATHS, max_size=3)}
    ),
    "dependencies": st.lists(REQUIREMENTS, max_size=3),
    "inputs": st.dictionaries(WORDS, JSON, max_size=3),
    "inputs_schema": st.just({"type": "object"}) | st.just({"type": "object", "properties": {"a": {}}}),
    "metadata": st.dictionaries(WORDS, JSON, max_size=3),
    "entrypoint": st.sampled_from(["main", None, "other"]),
    "review": st.fixed_dictionaries({}, optional={"always": st.booleans(), "mass_change_percent": st.just(0)}),
}
STRANGERS = st.dictionaries(WORDS, JSON, max_size=1)
MANIFESTS = st.builds(
    lambda code, level, known, strange: {
        "manifest_version": 1, "name": "s", "version": "1.0.0", "code": code, "security_level": level,
        **known, **strange,
    },
    CODES, st.sampled_from(LEVELS), st.fixed_dictionaries({}, optional=KEYS), st.just({}) | STRANGERS,
)  # fmt: skip


def check_not_widened(wanted: SkillManifest, decision: Decision, policy: Policy) -> None:
    """Raises AssertionError if the decision gives anything that the policy does not."""
    parts = policy.parts
    if not decision.allowed:
        assert decision.violations
        assert (decision.spec, decision.limits, decision.grants, decision.guards) == (None, None, None, None)
        return
    plain = PLAIN[policy.level]
    assert decision.spec == policy.warm_spec(HOST) == plain.spec
    assert decision.limits is not None
    for field in fields(Limits):
        assert 0 < getattr(decision.limits, field.name) <= getattr(parts.ceilings, field.name)
    assert decision.grants is not None
    for path in decision.grants.write:
        assert is_within(path, parts.vault.write)
        assert forbidden_by(path, parts.vault.forbidden) is None
    for path in decision.grants.read:
        assert is_within(path, (*parts.vault.read, *parts.vault.write))
    assert decision.guards is not None
    assert plain.guards is not None
    added = set(decision.guards.imports) - set(plain.guards.imports)
    allowed = parts.code.dependencies_allowed
    dependencies = {name.lower() for name in HOST.packages or () if "*" in allowed or name.lower() in allowed}
    assert added <= {module for name in dependencies for module in modules_of(name)}
    for name in ("denied_builtins", "denied_events", "max_opens", "audit"):
        assert getattr(decision.guards, name) == getattr(plain.guards, name)
    for name in ("second_stage", "forbidden", "outputs", "inputs", "enforcement", "policy_digest"):
        assert getattr(decision, name) == getattr(plain, name)
    assert parts.review in decision.review


@settings(max_examples=400, deadline=None)
@given(MANIFESTS)
def test_a_manifest_never_widens_a_policy(document: dict[str, Any]) -> None:
    try:
        wanted = load_manifest(document)
    except ManifestError:
        return  # refused before any policy sees it
    policy = POLICIES[wanted.security_level]
    decision = decide(policy, wanted)
    check_not_widened(wanted, decision, policy)
    with_given = with_inputs(decision, dict(wanted.inputs))
    check_not_widened(wanted, with_given, policy)
    assert decision.allowed or not with_given.allowed


def test_the_generator_reaches_both_verdicts_at_each_level() -> None:
    """The control: most manifests get as far as a decision, and some are allowed."""
    seen: set[tuple[str, bool]] = set()

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(MANIFESTS)
    def collect(document: dict[str, Any]) -> None:
        try:
            wanted = load_manifest(document)
        except ManifestError:
            return
        seen.add((wanted.security_level, decide(POLICIES[wanted.security_level], wanted).allowed))

    collect()
    assert seen == {(level, verdict) for level in LEVELS for verdict in (True, False)}


def test_the_check_would_see_a_wider_decision() -> None:
    policy, plain = POLICIES["standard"], PLAIN["standard"]
    assert plain.limits is not None
    assert plain.guards is not None
    wider = [
        replace(plain, limits=replace(plain.limits, memory_mb=10**6)),
        replace(plain, guards=replace(plain.guards, imports=(*plain.guards.imports, "subprocess"))),
        replace(plain, second_stage=False),
        replace(plain, forbidden=()),
        replace(plain, spec=None),
    ]
    for decision in wider:
        with pytest.raises(AssertionError):
            check_not_widened(skill(), decision, policy)
