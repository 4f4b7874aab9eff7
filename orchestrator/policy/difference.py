"""What one policy allows that another does not: by meaning, not by text. Pure.

Names stand for all beneath them, and deny wins over allow, so lists are compared by what they say about every name that
either of them holds, and about the modules of the standard library beneath those. Of several names in a row that differ
in the same way, the outermost is told. What cannot be put in an order (another preload, a bigger pool) is neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import chain
from typing import Any, Final, Literal

from orchestrator.policy.code import mode_of, tuned_for
from orchestrator.policy.model import CodeRules
from orchestrator.policy.paths import is_within
from orchestrator.policy.policy import Policy
from orchestrator.validation.names import STDLIB_MODULES, STDLIB_SUBMODULES, prefixes
from orchestrator.validation.rules import RULES

Effect = Literal["looser", "stricter", "other"]
_ACTIONS: Final = ("block", "refuse", "strip", "redact", "escape", "warn", "allow")  # of [secrets] and [content]
_MODES: Final = ("deny", "warn", "off")
_HANDLED: Final = frozenset(
    {"container", "ceilings", "code", "guards", "vault", "review", "second_stage", "enforcement"}
)
_MORE_IS_LOOSER: Final = (
    "memory_mb", "cpus", "pids", "tmp_mb", "tmp_inodes", "nofile", "file_mb",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """``effect`` is what going from A to B does; ``a`` and ``b`` are what each says, for people."""

    table: str
    subject: str
    a: str
    b: str
    effect: Effect


def difference(a: Policy, b: Policy) -> tuple[Difference, ...]:
    """All of them, by table and subject; empty for policies that say the same, whatever they are called."""
    found = chain(
        _imports(a.parts.code, b.parts.code),
        _names("builtins", a.parts.code.builtins_deny, b.parts.code.builtins_deny, listed="denied"),
        _covered("calls", a.parts.code.calls_deny.names, b.parts.code.calls_deny.names),
        _names("attributes", a.parts.code.attributes_allow, b.parts.code.attributes_allow, listed="allowed"),
        _dependencies(a.parts.code.dependencies_allowed, b.parts.code.dependencies_allowed),
        _rules(a.parts.code, b.parts.code),
        _tuned(a.parts.code, b.parts.code),
        _numbers("limits", a.parts.ceilings, b.parts.ceilings, tuple(f.name for f in fields(a.parts.ceilings))),
        _container(a, b),
        _guards(a, b),
        _vault(a, b),
        _review(a, b),
        _whole(a, b),
        _rest(a, b),
    )
    return tuple(sorted(set(found), key=lambda each: (each.table, each.subject)))


def _judged(table: str, subject: str, a: bool, b: bool) -> Iterator[Difference]:
    """``a`` and ``b``: whether each allows it."""
    if a != b:
        words = ("denied", "allowed")
        yield Difference(table, subject, words[a], words[b], "looser" if b else "stricter")


# --- names ---------------------------------------------------------------------------------------------------------


def _imports(a: CodeRules, b: CodeRules) -> Iterator[Difference]:
    names = {name for code in (a, b) for part in (code.imports_allow, code.imports_deny) for name in part.names}
    roots = {name.partition(".")[0] for name in names}
    names |= roots & STDLIB_MODULES
    names |= {name for name in STDLIB_SUBMODULES if any(prefix in names for prefix in prefixes(name))}
    yield from _outermost("imports", names, lambda name: _module(name, a), lambda name: _module(name, b))


def _module(name: str, code: CodeRules) -> str:
    if code.imports_deny.cover(name) or not (code.imports_allow.cover(name) or code.imports_allow.reach_into(name)):
        return "denied"
    return "allowed" if code.imports_allow.cover(name) else "in part"


def _outermost(
    table: str, names: Iterable[str], a: Callable[[str], str], b: Callable[[str], str]
) -> Iterator[Difference]:
    """Differences of verdicts that are ``denied``, ``in part`` or ``allowed``, without those that a name above says."""
    order = ("denied", "in part", "allowed")
    told: dict[str, tuple[str, str]] = {}
    for name in sorted(set(names), key=lambda name: (name.count("."), name)):
        verdicts = a(name), b(name)
        if verdicts[0] == verdicts[1] or any(_said(told.get(prefix), verdicts) for prefix in prefixes(name)[1:]):
            continue
        told[name] = verdicts
        looser = order.index(verdicts[1]) > order.index(verdicts[0])
        yield Difference(table, name, *verdicts, "looser" if looser else "stricter")


def _said(above: tuple[str, str] | None, verdicts: tuple[str, str]) -> bool:
    """Whether the difference of a name above says it: the same, or one side allows all beneath."""
    if above is None:
        return False
    same = [one for one, other in zip(above, verdicts, strict=True) if one == other]
    return above == verdicts or "allowed" in same


def _covered(table: str, a: frozenset[str], b: frozenset[str]) -> Iterator[Difference]:
    """Deny lists of dotted names, where a name covers all beneath it."""

    def verdict(names: frozenset[str]) -> Callable[[str], str]:
        return lambda name: "denied" if any(prefix in names for prefix in prefixes(name)) else "allowed"

    yield from _outermost(table, a | b, verdict(a), verdict(b))


def _names(table: str, a: frozenset[str], b: frozenset[str], *, listed: str) -> Iterator[Difference]:
    for name in a ^ b:
        yield from _judged(table, name, (name in a) == (listed == "allowed"), (name in b) == (listed == "allowed"))


def _dependencies(a: frozenset[str], b: frozenset[str]) -> Iterator[Difference]:
    for name in a | b:
        yield from _judged("dependencies", name, name in a or "*" in a, name in b or "*" in b)


def _tuned(a: CodeRules, b: CodeRules) -> Iterator[Difference]:
    """For each code that one of them has rules of its own for, where these lead elsewhere."""
    for digest in sorted({*a.tuned, *b.tuned}):
        for each in _rules(tuned_for(a, digest), tuned_for(b, digest)):
            yield replace(each, table="tuned", subject=f"{digest[:12]} {each.subject}")


def _rules(a: CodeRules, b: CodeRules) -> Iterator[Difference]:
    for rule in RULES:
        modes = mode_of(rule, a), mode_of(rule, b)
        if modes[0] != modes[1]:
            looser = _MODES.index(modes[1]) > _MODES.index(modes[0])
            yield Difference("rules", rule, *modes, "looser" if looser else "stricter")


# --- numbers and settings ------------------------------------------------------------------------------------------


def _numbers(table: str, a: Any, b: Any, names: Iterable[str]) -> Iterator[Difference]:
    for name in names:
        was, now = getattr(a, name), getattr(b, name)
        if was != now:
            yield Difference(table, name, f"{was:g}", f"{now:g}", "looser" if now > was else "stricter")


def _ordered(table: str, subject: str, a: Any, b: Any, strict_first: tuple[Any, ...]) -> Iterator[Difference]:
    """A setting whose values are in an order; one that is not in it makes the difference neither."""
    if a == b:
        return
    effect: Effect = "other"
    if a in strict_first and b in strict_first:
        effect = "looser" if strict_first.index(b) > strict_first.index(a) else "stricter"
    yield Difference(table, subject, _shown(a), _shown(b), effect)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value) or "none"


def _container(a: Policy, b: Policy) -> Iterator[Difference]:
    one, other = a.parts.container, b.parts.container
    yield from _numbers("container", one, other, _MORE_IS_LOOSER)
    yield from _ordered("container", "landlock", one.landlock, other.landlock, ("required", "preferred"))
    yield from _ordered("container", "vault_view", one.vault_view, other.vault_view, ("copy", "auto", "overlay"))
    yield from _ordered("container", "runtime", one.runtime, other.runtime, ())
    yield from _ordered("container", "preload", one.preload, other.preload, ())
    if one.seccomp != other.seccomp:
        yield from _seccomp(one.seccomp, other.seccomp)


def _seccomp(a: str, b: str) -> Iterator[Difference]:
    """System calls that one profile lets through without a condition and the other does not; else that they differ."""
    was, now = _allowed_calls(a), _allowed_calls(b)
    for name in was ^ now:
        yield from _judged("seccomp", name, name in was, name in now)
    if was == now:
        yield Difference("seccomp", "(conditions)", "differ", "differ", "other")


def _allowed_calls(profile: str) -> frozenset[str]:
    entries = json.loads(profile).get("syscalls", [])
    plain = (each for each in entries if each.get("action") == "SCMP_ACT_ALLOW" and not each.get("args"))
    return frozenset(name for each in plain for name in each.get("names", []))


def _guards(a: Policy, b: Policy) -> Iterator[Difference]:
    one, other = a.parts.guards, b.parts.guards
    for event in {*one.denied_events, *other.denied_events}:
        yield from _judged(
            "guards", event, not _event(event, one.denied_events), not _event(event, other.denied_events)
        )
    yield from _numbers("guards", one, other, ("max_opens",))


def _event(event: str, denied: tuple[str, ...]) -> bool:
    return event in denied or any(event.startswith(each) for each in denied if each.endswith("."))


def _vault(a: Policy, b: Policy) -> Iterator[Difference]:
    one, other = a.parts.vault, b.parts.vault
    for name in ("read", "write"):
        was, now = ((*rules.write, *rules.read) if name == "read" else rules.write for rules in (one, other))
        for root in {*was, *now}:
            yield from _judged(f"vault.{name}", root, is_within(root, was), is_within(root, now))
    for pattern in set(one.forbidden) ^ set(other.forbidden):
        yield from _judged("vault.forbidden", pattern, pattern not in one.forbidden, pattern not in other.forbidden)


def _review(a: Policy, b: Policy) -> Iterator[Difference]:
    """A rule that only one has makes that one stricter. Of a rule that both have, only switches are in an order."""
    one, other = asdict(a.parts.review), asdict(b.parts.review)
    for name, was in one.items():
        now = other[name]
        if isinstance(was, bool):
            yield from _ordered("review", name, was, now, (True, False))
        elif was != now:
            effect: Effect = "other"
            if not was or not now:
                effect = "looser" if was else "stricter"
            yield Difference("review", name, _shown(was), _shown(now), effect)


def _whole(a: Policy, b: Policy) -> Iterator[Difference]:
    yield from _ordered("(policy)", "second_stage", a.parts.second_stage, b.parts.second_stage, (True, False))
    yield from _ordered("(policy)", "enforcement", a.parts.enforcement, b.parts.enforcement, ("enforce", "audit"))


def _rest(a: Policy, b: Policy) -> Iterator[Difference]:
    """Tables that this module has no order for: that they differ, value by value."""
    for part in fields(a.parts):
        if part.name in _HANDLED or part.name == "description":
            continue
        was, now = dict(_flat(getattr(a.parts, part.name))), dict(_flat(getattr(b.parts, part.name)))
        for name in was.keys() | now.keys():
            order = {"outputs": _ACTIONS, "inputs": _MODES}.get(part.name, ())
            yield from _ordered(part.name, name, was.get(name), now.get(name), order)


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if hasattr(value, "__dataclass_fields__"):
        for part in fields(value):
            yield from _flat(getattr(value, part.name), f"{prefix}.{part.name}" if prefix else part.name)
    elif isinstance(value, Mapping):
        yield from ((f"{prefix}.{name}", inner) for name, inner in value.items())
    elif isinstance(value, tuple) and any(hasattr(each, "__dataclass_fields__") for each in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{prefix}.{index}")
    else:
        yield prefix, tuple(sorted(value)) if isinstance(value, frozenset) else value
