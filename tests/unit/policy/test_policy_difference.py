"""``policy diff``: what one policy allows that the other does not, by meaning."""

from __future__ import annotations

import itertools
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from orchestrator.policy import Policy, load_policy
from orchestrator.policy.difference import difference
from tests.support.policies import LEVELS, PROFILE, SHIPPED, shipped

BASE = (SHIPPED / "standard.toml").read_text("utf-8")


def variant(old: str, new: str) -> Policy:
    assert BASE.count(old) >= 1
    return load_policy("standard", BASE.replace(old, new, 1).encode(), {"sandbox.json": PROFILE})


def told(a: Policy, b: Policy) -> set[tuple[str, str, str]]:
    return {(each.table, each.subject, each.effect) for each in difference(a, b)}


def test_a_policy_does_not_differ_from_itself_nor_by_comments_and_order() -> None:
    for level in LEVELS:
        assert difference(shipped(level), shipped(level)) == ()
    assert difference(shipped("standard"), variant('"json", "csv",', '"csv", "json", # moved\n')) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"json", "csv", "html"', '"csv", "html"', ("imports", "json", "stricter")),
        ('"json", "csv",', '"json", "csv", "trace_me",', ("imports", "trace_me", "looser")),
        ('"email.utils",', '"email",', ("imports", "email", "looser")),
        ('"xml.sax", ', "", None),  # it is on no list of what is allowed either: the same by meaning
        ('"eval", ', "", ("builtins", "eval", "looser")),
        ('"yaml.load", ', "", ("calls", "yaml.load", "looser")),
        ('"__name__", ', "", ("attributes", "__name__", "stricter")),
        ('dependencies_allowed = ["pyyaml"]', 'dependencies_allowed = ["*"]', ("dependencies", "*", "looser")),
        ('ORC305 = "warn"', 'ORC305 = "off"', ("rules", "ORC305", "looser")),
        ("memory_mb = 512", "memory_mb = 511", ("limits", "memory_mb", "stricter")),
        ("nofile = 256", "nofile = 512", ("container", "nofile", "looser")),
        ('landlock = "preferred"', 'landlock = "required"', ("container", "landlock", "stricter")),
        ('runtime = ""', 'runtime = "runsc"', ("container", "runtime", "other")),
        ('"os.system", ', "", ("guards", "os.system", "looser")),
        ('"socket.connect", ', "", None),  # "socket." still covers it
        ("max_opens = 20000", "max_opens = 20", ("guards", "max_opens", "stricter")),
        ('read = ["."]', 'read = ["notes"]', None),  # what may be written may be read, and that is everything
        ('write = ["."]', 'write = ["notes"]', ("vault.write", ".", "stricter")),
        ('".obsidian", ', "", ("vault.forbidden", ".obsidian", "looser")),
        ("mass_change_percent = 50", "mass_change_percent = 0", ("review", "mass_change_percent", "looser")),
        ("second_stage = true", "second_stage = false", ("(policy)", "second_stage", "looser")),
        ("version = 1\n", 'version = 1\nenforcement = "audit"\n', ("(policy)", "enforcement", "looser")),
        ('notes = "block"', 'notes = "redact"', ("outputs", "secrets.notes", "looser")),
        ("warm_target = 3", "warm_target = 2", ("pool", "warm_target", "other")),
    ],
)
def test_one_change_is_told_as_what_it_means(old: str, new: str, expected: tuple[str, str, str] | None) -> None:
    a, b = shipped("standard"), variant(old, new)
    assert told(a, b) == ({expected} if expected else set())
    turned = {"looser": "stricter", "stricter": "looser", "other": "other"}
    assert told(b, a) == ({(*expected[:2], turned[expected[2]])} if expected else set())


def test_the_outermost_name_is_told() -> None:
    found = told(shipped("standard"), variant('"xml.etree",', '"xml", "concurrent",'))
    assert ("imports", "concurrent", "looser") in found
    assert ("imports", "xml", "looser") in found
    assert not any(subject.startswith("concurrent.") and effect == "looser" for _, subject, effect in found)


def test_system_calls_are_compared_by_name() -> None:
    wider = PROFILE.replace(b'"write"', b'"write", "socket"')
    a = shipped("standard")
    b = load_policy("standard", BASE.encode(), {"sandbox.json": wider})
    assert told(a, b) == {("seccomp", "socket", "looser")}


@pytest.mark.parametrize("pair", list(itertools.permutations(LEVELS, 2)), ids="-".join)
def test_levels_differ_both_ways_alike(pair: tuple[str, str]) -> None:
    forth: Any = {(each.table, each.subject, each.a, each.b) for each in difference(shipped(pair[0]), shipped(pair[1]))}
    back = {(each.table, each.subject, each.b, each.a) for each in difference(shipped(pair[1]), shipped(pair[0]))}
    assert forth == back
    assert forth


def test_every_part_of_a_policy_is_looked_at() -> None:
    """A table that somebody adds is told as different, at least: nothing is left out in silence."""
    base = variant('write = ["."]', 'write = ["notes"]')  # or what may be read would make no difference
    for part in fields(base.parts):
        if part.name == "description":
            continue
        other = replace(base, parts=replace(base.parts, **{part.name: _altered(getattr(base.parts, part.name))}))
        assert difference(base, other), part.name


def _altered(value: Any) -> Any:
    """Something else of the same shape: the first field that can be, in depth."""
    if is_dataclass(value) and not isinstance(value, type):
        name = fields(value)[0].name
        return replace(value, **{name: _altered(getattr(value, name))})
    if isinstance(value, bool):
        return not value
    if isinstance(value, frozenset | tuple):
        return type(value)(["made_up"])
    return value + 1 if isinstance(value, int) else "audit" if value == "enforce" else "allow"
