"""From the bytes of a policy file to a ``Policy``, or to the list of everything that is wrong with it."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from packaging.utils import canonicalize_name

import orchestrator
from orchestrator.errors import PolicyError, Problem
from orchestrator.manifest.model import ReviewRules
from orchestrator.policy.inputs import bad_inputs, input_rules
from orchestrator.policy.model import CodeRules, Container, DottedNames, GuardRules, Parts, PoolRules, VaultRules
from orchestrator.policy.outputs import bad_ignores, output_rules
from orchestrator.policy.paths import path_problem
from orchestrator.policy.policy import Policy
from orchestrator.policy.schema import problems_of
from orchestrator.policy.seccomp import read_profile
from orchestrator.sandbox.spec import Limits
from orchestrator.validation.rules import RULES

MAX_FILE_BYTES = 2**20
LEVEL = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")
_PROFILE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\.json\Z")


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """The bytes of a policy directory, read once, so that what is checked is what is used and kept."""

    levels: Mapping[str, bytes]  # level -> TOML
    profiles: Mapping[str, bytes]  # file name -> JSON
    problems: Mapping[str, Problem] = field(default_factory=dict)  # file name -> why it could not be read


def default_policy_dir() -> Path:
    """The policies that came with this package: in an installed wheel, or in a checkout.

    Raises ``PolicyError`` when neither is there.
    """
    package = Path(orchestrator.__file__).resolve().parent
    for candidate in (package / "_policies", package.parent / "policies"):
        if candidate.is_dir():
            return candidate
    raise PolicyError("the policies of this package are missing", hint="reinstall it, or set a policy directory")


def read_policy_files(directory: Path) -> PolicyFiles:
    """Every ``LEVEL.toml`` and ``seccomp/NAME.json`` of ``directory``; never raises, a bad directory is a problem."""
    levels: dict[str, bytes] = {}
    profiles: dict[str, bytes] = {}
    problems: dict[str, Problem] = {}
    for pattern, into in (("*.toml", levels), ("seccomp/*.json", profiles)):
        for path in sorted(directory.glob(pattern)):
            key = path.stem if into is levels else path.name
            try:
                into[key] = _read(path)
            except OSError as error:
                problems[path.name] = Problem("", f"cannot be read: {error.strerror or error}", "a readable file")
    if not levels and not problems:
        problems[directory.name] = Problem("", "there are no policy files", "strict.toml, standard.toml, relaxed.toml")
    return PolicyFiles(levels, profiles, problems)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise OSError(f"larger than {MAX_FILE_BYTES} bytes")
    return content


def load_policy(level: str, toml: bytes, profiles: Mapping[str, bytes]) -> Policy:
    """Raises ``PolicyError`` with every problem."""
    document, problems = _parse(level, toml)
    if not problems:
        problems = _held_against_schema(document)
    if problems:
        raise PolicyError(f"{level}.toml is not a valid policy", tuple(problems))
    seccomp, problems = _profile(document["container"]["seccomp"], profiles)
    problems += _inconsistencies(document)
    if problems:
        raise PolicyError(f"{level}.toml is not a valid policy", tuple(problems))
    return Policy(level, _digest(level, document, seccomp), _parts(document, seccomp))


def _parse(level: str, toml: bytes) -> tuple[dict[str, Any], list[Problem]]:
    if not LEVEL.match(level):
        return {}, [Problem("", f"{level!r} is no name of a level", "lower-case letters, digits, - and _")]
    try:
        return tomllib.loads(toml.decode("utf-8")), []
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        return {}, [Problem("", f"is not valid TOML: {error}", "a TOML document in UTF-8")]


def _held_against_schema(document: Mapping[str, Any]) -> list[Problem]:
    try:
        return problems_of(document)
    except RecursionError:
        return [Problem("", "is nested too deeply", "tables of plain values")]


def _profile(name: str, profiles: Mapping[str, bytes]) -> tuple[str, list[Problem]]:
    pointer = "/container/seccomp"
    if not _PROFILE.match(name) or name not in profiles:
        return "", [Problem(pointer, f"there is no readable profile {name!r}", "a file in the directory seccomp")]
    return read_profile(profiles[name], pointer)


def _inconsistencies(document: Mapping[str, Any]) -> list[Problem]:
    """What the schema cannot say."""
    judges = (_bad_rules, _bad_sizes, _bad_roots, bad_ignores, bad_inputs)
    return [problem for judge in judges for problem in judge(document)]


def _bad_rules(document: Mapping[str, Any]) -> Iterator[Problem]:
    tables = {"/rules": document.get("rules", {})}
    tables |= {f"/tuned/{digest}": rules for digest, rules in document.get("tuned", {}).items()}
    for pointer, rules in tables.items():
        for rule, mode in rules.items():
            known = RULES.get(rule)
            if known is None:
                yield Problem(f"{pointer}/{rule}", "there is no such rule", "one of " + ", ".join(RULES))
            elif known.mandatory and mode != "deny":
                yield Problem(f"{pointer}/{rule}", f"{rule} ({known.title}) cannot be loosened", '"deny"')


def _bad_sizes(document: Mapping[str, Any]) -> Iterator[Problem]:
    container, limits, pool = document["container"], document["limits"], document["pool"]
    # An rlimit is fixed when the container is made, so a run can only get less. (Memory and pids are cgroup limits: a
    # lease that differs changes them, and reads them back, in Sandbox.fit.)
    if limits["file_mb"] > container["file_mb"]:
        expected = f"at most {container['file_mb']}, the value in [container]"
        yield Problem("/limits/file_mb", f"{limits['file_mb']} is more than the container has", expected)
    if pool["warm_target"] > pool["max_containers"]:
        yield Problem("/pool/warm_target", "is more than max_containers", f"at most {pool['max_containers']}")


def _bad_roots(document: Mapping[str, Any]) -> Iterator[Problem]:
    for name in ("read", "write"):
        for index, root in enumerate(document["vault"][name]):
            problem = path_problem(root)
            if problem:
                yield Problem(
                    f"/vault/{name}/{index}", f"{root!r}: {problem}", "a relative path such as 'notes', or '.'"
                )


def _digest(level: str, document: Mapping[str, Any], seccomp: str) -> str:
    """Of what is said, not of how it is written: comments and order do not count."""
    canonical = json.dumps([level, document, seccomp], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _parts(document: Mapping[str, Any], seccomp: str) -> Parts:
    return Parts(
        container=_container(document["container"], seccomp),
        ceilings=Limits(**{f.name: document["limits"][f.name] for f in fields(Limits)}),
        code=_code(document),
        guards=GuardRules(tuple(document["guards"]["denied_events"]), document["guards"]["max_opens"]),
        vault=VaultRules(**{name: tuple(document["vault"][name]) for name in ("read", "write", "forbidden")}),
        pool=PoolRules(**document["pool"]),
        review=ReviewRules(
            **{**document.get("review", {}), "outside": tuple(document.get("review", {}).get("outside", ()))}
        ),
        inputs=input_rules(document),
        outputs=output_rules(document),
        second_stage=document["second_stage"],
        description=document.get("description", ""),
        enforcement=document.get("enforcement", "enforce"),
    )


def _container(table: Mapping[str, Any], seccomp: str) -> Container:
    values = {**table, "seccomp": seccomp, "preload": tuple(table["preload"]), "cpus": float(table["cpus"])}
    return Container(**values)


def _code(document: Mapping[str, Any]) -> CodeRules:
    imports = document["imports"]
    dependencies = imports["dependencies_allowed"]
    return CodeRules(
        imports_allow=DottedNames(frozenset(imports["allow"])),
        imports_deny=DottedNames(frozenset(imports["deny"])),
        dependencies_allowed=frozenset(name if name == "*" else canonicalize_name(name) for name in dependencies),
        builtins_deny=frozenset(document["builtins"]["deny"]),
        calls_deny=DottedNames(frozenset(document["calls"]["deny"])),
        attributes_allow=frozenset(document["attributes"]["allow"]),
        rules=MappingProxyType(dict(document.get("rules", {}))),
        tuned=MappingProxyType(
            {digest: MappingProxyType(rules) for digest, rules in document.get("tuned", {}).items()}
        ),
    )
