"""Policy files: what is shipped is valid, what is not understood is refused, with the place and what was expected."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator.errors import PolicyError, Problem
from orchestrator.policy import check, default_policy_dir, load_policy, policy_schema
from orchestrator.policy.seccomp import read_profile
from orchestrator.validation.names import STDLIB_MODULES
from tests.support.policies import LEVELS, PROFILE, SHIPPED, shipped

TEXT = (SHIPPED / "standard.toml").read_text("utf-8")


def problems(text: str, profile: bytes = PROFILE) -> list[Problem]:
    with pytest.raises(PolicyError) as caught:
        load_policy("standard", text.encode(), {"sandbox.json": profile})
    assert "standard.toml" in caught.value.message
    return list(caught.value.problems)


def edited(pattern: str, replacement: str) -> str:
    text, count = re.subn(pattern, replacement, TEXT, count=1, flags=re.MULTILINE)
    assert count == 1
    return text


def test_the_shipped_directory_is_found() -> None:
    assert default_policy_dir() == SHIPPED


def test_the_shipped_files_are_valid() -> None:
    report = check(SHIPPED)
    assert report.ok, report.problems
    assert report.levels == tuple(sorted(LEVELS))


def test_the_schema_is_a_schema_and_a_copy() -> None:
    schema = policy_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    schema.clear()
    assert policy_schema()


@pytest.mark.parametrize(
    ("pattern", "replacement", "pointer"),
    [
        (r"^version = 1", "version = 2", "/version"),
        (r"^version = 1", "", ""),
        (r"^version = 1", "version = 1\nextra = 1", ""),
        (r"^cpus = .*", "cpus = nan", "/container/cpus"),
        (r"^cpus = .*", "cpus = inf", "/container/cpus"),
        (r"^cpus = .*", "cpus = -1", "/container/cpus"),
        (r"^cpus = .*", "cpus = 0", "/container/cpus"),
        (r"^cpus = .*", "cpus = 2024-01-01", "/container/cpus"),
        (r"^cpus = .*", "cpus = 1.0\nprivileged = true", "/container"),
        (r"^memory_mb = \d+", "memory_mb = true", "/container/memory_mb"),
        (r"^memory_mb = \d+", 'memory_mb = "100"', "/container/memory_mb"),
        (r"^landlock = .*", 'landlock = "off"', "/container/landlock"),
        (r"^seccomp = .*", 'seccomp = "missing.json"', "/container/seccomp"),
        (r"^seccomp = .*", 'seccomp = "../sandbox.json"', "/container/seccomp"),
        (r"^ORC305 = .*", 'ORC305 = "maybe"', "/rules/ORC305"),
        (r"^ORC305 = .*", 'ORC999 = "off"', "/rules/ORC999"),
        (r"^ORC305 = .*", 'ORC001 = "off"', "/rules/ORC001"),
        (r"^ORC305 = .*", 'POL201 = "off"', "/rules"),
        (r"^read = .*", 'read = ["../up"]', "/vault/read/0"),
        (r"^read = .*", 'read = ["/"]', "/vault/read/0"),
        (r"^warm_target = .*", "warm_target = 100", "/pool/warm_target"),
        (r"^file_mb = 64\nwrite_mb", "file_mb = 65\nwrite_mb", "/limits/file_mb"),
        (r"^max_opens = .*", "max_opens = 0", "/guards/max_opens"),
    ],
)
def test_what_is_not_understood_is_refused(pattern: str, replacement: str, pointer: str) -> None:
    found = problems(edited(pattern, replacement))
    assert pointer in [problem.pointer for problem in found]
    assert all(problem.message for problem in found)


@pytest.mark.parametrize("text", ["", "version = 1", "= broken", "\x00", "version = 1\nversion = 1", "x = [" * 3000])
def test_empty_and_broken_files_are_refused(text: str) -> None:
    assert problems(text)


def test_all_problems_are_reported() -> None:
    text = (
        edited(r"^cpus = .*", "cpus = -1").replace("version = 1", "version = 7").replace("warm_target", "warm_tarket")
    )
    pointers = {problem.pointer for problem in problems(text)}
    assert {"/version", "/container/cpus", "/pool"} <= pointers


def test_bytes_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(PolicyError, match="UTF-8"):
        load_policy("standard", b"\xff\xfe", {})


def profile(**changes: Any) -> bytes:
    return json.dumps({**json.loads(PROFILE), **changes}).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b'{"defaultAction": "SCMP_ACT_ERRNO", "defaultAction": "SCMP_ACT_ALLOW"}',
        profile(defaultAction="SCMP_ACT_ALLOW"),
        profile(defaultAction="SCMP_ACT_KILL"),
        profile(architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]),
        profile(archMap=[{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}]),
        profile(archMap="x"),
        profile(syscalls=[]),
        profile(syscalls=[{"names": ["read"], "action": "SCMP_ACT_TRACE"}]),
        profile(syscalls=[{"names": [], "action": "SCMP_ACT_ALLOW"}]),
        profile(syscalls=[{"names": [f"call{n}" for n in range(121)], "action": "SCMP_ACT_ALLOW"}]),
        b"[" * 100_000,
    ],
)
def test_a_weak_profile_is_refused(raw: bytes) -> None:
    found = problems(TEXT, raw)
    assert {problem.pointer for problem in found} == {"/container/seccomp"}


def test_a_profile_of_120_names_passes() -> None:
    allowed = {"names": [f"call{n}" for n in range(120)], "action": "SCMP_ACT_ALLOW"}
    text, found = read_profile(profile(syscalls=[{"comment": "why", **allowed}]), "/x")
    assert not found
    assert json.loads(text)["syscalls"] == [allowed]  # without what is for people only


def test_the_digest_is_of_what_is_said() -> None:
    def digest(text: str, raw: bytes = PROFILE) -> str:
        return load_policy("standard", text.encode(), {"sandbox.json": raw}).digest

    assert digest(TEXT) == digest("# a comment\n" + TEXT) == shipped("standard").digest
    assert digest(TEXT) != digest(edited(r"^max_opens = .*", "max_opens = 5"))
    assert digest(TEXT) != digest(TEXT, profile(syscalls=[{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]))
    assert digest(TEXT) != load_policy("relaxed", TEXT.encode(), {"sandbox.json": PROFILE}).digest


def test_the_levels_are_ordered() -> None:
    """What a stricter level allows, a looser one does too."""
    strict, standard, relaxed = (shipped(level).parts for level in LEVELS)
    for tight, loose in ((strict, standard), (standard, relaxed)):
        assert all(loose.code.imports_allow.cover(name) for name in tight.code.imports_allow.names)
        assert loose.code.builtins_deny <= tight.code.builtins_deny
        assert set(loose.guards.denied_events) <= set(tight.guards.denied_events)
        assert loose.ceilings.memory_mb >= tight.ceilings.memory_mb


@pytest.mark.parametrize("level", LEVELS)
def test_allowed_modules_exist(level: str) -> None:
    """A misspelt name would allow nothing and deny nothing."""
    roots = {name.partition(".")[0] for name in shipped(level).parts.code.imports_allow.names}
    assert roots - STDLIB_MODULES <= {"yaml", "typing_extensions"}


@pytest.mark.parametrize("level", LEVELS)
def test_no_level_allows_the_way_out(level: str) -> None:
    code = shipped(level).parts.code
    for name in (
        "subprocess",
        "socket",
        "ctypes",
        "multiprocessing",
        "importlib",
        "pickle",
        "marshal",
        "builtins",
        "gc",
    ):
        assert code.imports_deny.cover(name)
    assert {"eval", "exec", "compile", "__import__", "globals"} <= code.builtins_deny
    assert not {"__class__", "__globals__", "__subclasses__", "__code__", "__builtins__"} & code.attributes_allow
