"""Checks a seccomp profile before any policy refers to it. What the profiles say is in policies/seccomp/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from orchestrator.errors import Problem

MAX_ALLOWED = 120  # names
_NATIVE = frozenset({"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"})
_ACTIONS = frozenset({"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS"})


def read_profile(raw: bytes, pointer: str) -> tuple[str, list[Problem]]:
    """The profile as compact JSON text without its comments (the engine keeps and copies the text for each container),
    and what is wrong with it (then the text is ""). ``pointer`` is where the policy names it."""
    try:
        profile = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        return "", [Problem(pointer, f"the seccomp profile is not valid JSON: {error}", "a JSON object")]
    problems = [Problem(pointer, f"the seccomp profile {message}", expected) for message, expected in _check(profile)]
    return ("" if problems else json.dumps(_bare(profile), separators=(",", ":"))), problems


def _bare(profile: dict[str, Any]) -> dict[str, Any]:
    entries = [{key: value for key, value in entry.items() if key != "comment"} for entry in profile["syscalls"]]
    return {**profile, "syscalls": entries}


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


def _check(profile: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(profile, dict):
        yield "is no object", "a JSON object"
        return
    if profile.get("defaultAction") != "SCMP_ACT_ERRNO":
        yield f"has the default action {profile.get('defaultAction')!r}", "SCMP_ACT_ERRNO: what is not listed fails"
    yield from _check_architectures(profile)
    entries = profile.get("syscalls")
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        yield "has a malformed list 'syscalls'", "objects with names and an action of " + ", ".join(sorted(_ACTIONS))
        return
    allowed = {name for entry in entries if entry["action"] == "SCMP_ACT_ALLOW" for name in entry["names"]}
    if not 0 < len(allowed) <= MAX_ALLOWED:
        yield f"allows {len(allowed)} system calls", f"1 to {MAX_ALLOWED}"


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.get("action") not in _ACTIONS:
        return False
    names = entry.get("names")
    return isinstance(names, list) and bool(names) and all(isinstance(name, str) for name in names)


def _check_architectures(profile: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Native ones only: the 32-bit tables have calls that the list does not see."""
    expected = "only " + " or ".join(sorted(_NATIVE)) + ", without subArchitectures"
    named = profile.get("architectures") or []
    mapped = profile.get("archMap") or []
    if not isinstance(named, list) or not all(isinstance(name, str) and name in _NATIVE for name in named):
        yield "lists other than native architectures", expected
    if not isinstance(mapped, list) or not all(_is_native(entry) for entry in mapped):
        yield "maps other than native architectures", expected


def _is_native(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("architecture") in _NATIVE and not entry.get("subArchitectures")
