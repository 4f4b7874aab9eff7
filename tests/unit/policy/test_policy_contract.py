"""Code held against its manifest: what cannot work is said before it runs, in words that mend it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.manifest.model import VaultGrants
from orchestrator.policy import Decision
from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import RULES
from tests.support.policies import HOST, LEVELS, decide, shipped

POLICIES = {level: shipped(level) for level in LEVELS}


def skill(code: str, level: str = "standard", **changes: Any) -> SkillManifest:
    return load_manifest(
        {"manifest_version": 1, "name": "s", "version": "1.0.0", "code": code, "security_level": level, **changes}
    )


def judged(code: str, level: str = "standard", **changes: Any) -> Decision:
    return decide(POLICIES[level], skill(code, level, **changes))


def all_of(decision: Decision) -> dict[str, Finding]:
    return {finding.rule: finding for finding in (*decision.violations, *decision.warnings)}


def schema(*names: str, required: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties, "required": list(required), **more}


CLOSED = {"additionalProperties": False}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def run(): pass\n", ["'main'", "it defines: run", 'name "run" as the entrypoint', '"entrypoint": null']),
        ("def mian(): pass\n", ["did you mean 'mian'?"]),
        ("def helper():\n    def main(): pass\n", ["does not define at its top level"]),
        ("main = {'a': 1}\n", ["binds to a value"]),
        ("x = 1\n", ["no function"]),
    ],
)
def test_a_missing_entrypoint(code: str, said: list[str]) -> None:
    decision = judged(code)
    assert [finding.rule for finding in decision.violations] == ["ORC801"]
    assert all(words in str(decision.violations[0]) for words in said), str(decision.violations[0])


@pytest.mark.parametrize(
    "code",
    ["def main(): pass", "async def main(): pass", "main = lambda: 1", "class main: pass",
     "def f(): pass\nmain = f", "try:\n    def main(): pass\nexcept ValueError:\n    main = None",
     "import functools\ndef f(a): pass\nmain = functools.partial(f, 1)", "from math import floor as main"],
)  # fmt: skip
def test_what_may_be_a_function_is_one(code: str) -> None:
    assert judged(code).allowed


def test_a_script_has_no_entrypoint() -> None:
    assert judged("result = 1", entrypoint=None).allowed


@pytest.mark.parametrize(
    ("parameters", "changes", "rule", "denied"),
    [
        # nothing is known, or all fits
        ("a, b=1", {}, None, False),
        ("a, b=1", {"inputs_schema": schema("a", "b", required=("a",))}, None, False),
        ("a", {"inputs_schema": schema("b"), "inputs": {"a": 1}}, "ORC806", False),
        ("**all", {"inputs_schema": schema("a", "b", required=("a",))}, None, False),
        ("*rest, a", {"inputs_schema": schema("a", required=("a",), **CLOSED)}, None, False),
        ("a", {"inputs_schema": schema("a", anyOf=[{"required": ["a"]}])}, None, False),
        # every call fails
        ("a, /", {}, "ORC802", True),
        ("a, limit", {"inputs_schema": schema("a", required=("a",), **CLOSED)}, "ORC803", True),
        ("a", {"inputs_schema": schema("a", "b", required=("a", "b"))}, "ORC805", True),
        ("a=1", {"inputs": {"folder": "x"}}, "ORC805", True),
        ("a=1, /", {"inputs": {"a": 2}}, "ORC805", True),
        # some calls fail
        ("a, limit", {"inputs_schema": schema("a", required=("a",))}, "ORC804", False),
        ("a, limit", {"inputs_schema": schema("a", "limit", required=("a",), **CLOSED)}, "ORC804", False),
        ("a", {"inputs_schema": schema("a", "b", required=("a",))}, "ORC806", False),
    ],
)
def test_parameters_against_inputs(parameters: str, changes: dict[str, Any], rule: str | None, denied: bool) -> None:
    decision = judged(f"def main({parameters}):\n    pass\n", **changes)
    assert set(all_of(decision)) == ({rule} if rule else set())
    assert decision.allowed == (not denied)


def test_the_message_says_who_requires_what() -> None:
    code = "\ndef run(note, limit):\n    pass\n"
    decision = judged(code, entrypoint="run", inputs_schema=schema("note", "limits", required=("note",)))
    found = all_of(decision)
    assert found["ORC804"].message == "entrypoint run(note, limit) requires 'limit', inputs_schema does not"
    assert '"required" in inputs_schema' in found["ORC804"].fix
    assert (found["ORC804"].line, found["ORC804"].column) == (2, 1)
    closed = judged(code, entrypoint="run", inputs_schema=schema("note", "limits", required=("note",), **CLOSED))
    assert "did you mean 'limits'?" in all_of(closed)["ORC803"].message


def test_names_are_shown_safely_and_few() -> None:
    names = [f"{'x' * 60}{n}" for n in range(300)]
    decision = judged("def main(): pass", inputs_schema=schema(*names, required=tuple(names)))
    assert len(decision.violations) == 8
    assert all(len(finding.message) <= 200 for finding in decision.violations)


# -- network, databases, the vault --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "subject"),
    [
        ("import asyncio\nasync def main():\n    await asyncio.open_connection('x', 1)", "asyncio.open_connection"),
        ("import socket\ndef main(): pass", "socket"),
        ("from urllib import request\ndef main(): pass", "urllib.request"),
        ("import http.client as h\ndef main(): pass", "http.client"),
        ("import requests\ndef main(): pass", "requests"),
    ],
)
def test_use_of_the_network_is_a_finding(code: str, subject: str) -> None:
    for level in LEVELS:
        assert all_of(judged(code, level))["ORC811"].subject == subject


@pytest.mark.parametrize(
    "code", ["import asyncio\nimport urllib.parse\nfrom http import HTTPStatus\nimport ipaddress", "socket = 1"]
)
def test_what_is_no_network(code: str) -> None:
    assert "ORC811" not in all_of(judged(code + "\ndef main(): pass", "relaxed"))


@pytest.mark.parametrize(
    ("path", "write", "rule"),
    [
        ('":memory:"', (), None),
        ('"/tmp/x.db"', (), None),
        ("name", (), "ORC812"),
        ('"notes.db"', (), "ORC812"),
        ("name", ("Data",), None),
        ('"/vault/Data/x.db"', ("Data",), None),
        ('"/vault/Data/x.db"', (), "ORC813"),
    ],
)
def test_databases(path: str, write: tuple[str, ...], rule: str | None) -> None:
    code = f"import sqlite3\ndef main(name=''):\n    sqlite3.connect({path})\n"
    decision = judged(code, "relaxed", vault={"write": list(write)})
    assert set(all_of(decision)) == ({rule} if rule else set())
    assert decision.allowed


WRITES = [
    ("open('/vault/Out/a.md', 'w')", "ORC813"),
    ("(VAULT / 'Out' / name).write_text('x')", "ORC813"),
    ("shutil.copy(name, '/vault/Out/')", "ORC813"),
    ("(VAULT / name).unlink()", "ORC813"),
    ("[note.write_text('x') for note in VAULT.glob('*')]", "ORC814"),
    ("Path('/tmp/x').write_text('x')", None),
    ("open('/tmp/x', 'a')", None),
    ("open('/vault/../tmp/x', 'a')", None),
    ("(VAULT / name).read_text().replace('a', 'b')", None),
]


@pytest.mark.parametrize(("line", "rule"), WRITES)
def test_writes_to_the_vault_without_a_grant(line: str, rule: str | None) -> None:
    code = f"import shutil\nfrom pathlib import Path\nVAULT = Path('/vault')\ndef main(name='a'):\n    {line}\n"
    without = judged(code, vault={"read": ["."]})
    assert set(all_of(without)) == ({rule} if rule else set())
    assert without.allowed  # the sandbox refuses it in any case; code may have meant to try
    assert not all_of(judged(code, vault={"write": ["."]}))
    if "Out" in line:
        assert not all_of(judged(code, vault={"write": ["Out"]}))
        assert set(all_of(judged(code, vault={"write": ["Other"]}))) == {"ORC813"}
    strict = judged(code, "strict", vault={"read": ["."]})
    assert ("ORC813" in {finding.rule for finding in strict.violations}) == (rule == "ORC813")


def test_a_path_known_in_part_may_still_lie_in_a_grant() -> None:
    code = "def main(name='a'):\n    open('/vault/Ou' + name, 'w')\n"
    assert not all_of(judged(code, vault={"write": ["Out/a"]}))
    assert set(all_of(judged(code, vault={"write": ["In"]}))) == {"ORC813"}


def test_a_program_that_never_names_the_vault_is_not_suspected() -> None:
    assert not all_of(judged("def main(path='x'):\n    open(path, 'w').write('x')\n"))


# -- dependencies -------------------------------------------------------------------------------------------------


def test_imports_beyond_the_standard_library() -> None:
    code = "import yaml\ndef main(): pass\n"
    assert not all_of(judged(code, dependencies=["PyYAML"]))
    unlisted = all_of(judged(code))["ORC822"]
    assert (unlisted.subject, unlisted.line) == ("yaml", 1)
    assert '"pyyaml"' in unlisted.fix
    elsewhere = replace(HOST, packages={})
    absent = all_of(decide(POLICIES["standard"], skill(code), elsewhere))["ORC821"]
    assert "sandbox-image/requirements.txt" in absent.fix
    assert not all_of(decide(POLICIES["standard"], skill(code), replace(HOST, packages=None))).keys() & {"ORC821"}


def test_what_the_image_lacks_says_which_would_do() -> None:
    relaxed = decide(POLICIES["relaxed"], skill("def main(): pass", "relaxed", dependencies=["numpy>=2"]))
    (found,) = relaxed.violations
    assert "numpy>=2 is not among the image's packages (pyyaml 6.0.2)" in found.message
    assert "sandbox-image/requirements.txt" in found.fix
    assert "orchestrator image build" in found.fix
    standard = judged("def main(): pass", dependencies=["numpy>=2", "pyyaml<6"])
    assert [finding.rule for finding in standard.violations] == ["POL403", "POL404", "POL405"]
    assert "pyyaml>=6.0.2" in standard.violations[2].fix


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--index-url https://example.org", "option of pip"),
        ("-e .", "option of pip"),
        ("git+ssh://example.org/x", "version control"),
        ("x @ git+https://example.org/x", "version control"),
        ("x @ https://example.org/x.whl", "URL"),
        ("https://example.org/x", "URL"),
        ("x @ file:///srv/x", "URL"),
        ("../x", "a path or a file"),
        ("~/x", "a path or a file"),
        ("dist/x.tar.gz", "a path or a file"),
        ("x.whl", "a path or a file"),
        ("pyyaml; python_version > '3'", "environment marker"),
        ("pyyaml[more]", "extras"),
        ("py yaml", "not a PEP 508"),
    ],
)
def test_each_way_to_fetch_from_elsewhere_is_told_apart(text: str, words: str) -> None:
    wanted = replace(skill("def main(): pass"), dependencies=(text,))
    (found,) = decide(POLICIES["standard"], wanted).violations
    assert words in found.message
    assert "pyyaml>=6" in found.fix


def test_every_rule_of_this_family_is_met_here() -> None:
    source = Path(__file__).read_text("utf-8")
    assert [rule for rule in RULES if rule.startswith("ORC8") and f'"{rule}"' not in source] == []


def test_grants_are_not_needed_to_read() -> None:
    code = "from pathlib import Path\ndef main():\n    return Path('/vault/a.md').read_text()\n"
    assert not all_of(decide(POLICIES["strict"], replace(skill(code, "strict"), vault=VaultGrants(read=("a",)))))
