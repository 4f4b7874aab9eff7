"""What a level accepts as inputs: the table ``[inputs]``, and inputs held against it.

Model, loading and judging; what is looked for is ``orchestrator/validation/markers.py``. The table is optional, and so
is each key: a check that is not named warns (one that needs a field is off), sizes are those of the check of inputs.

A field is matched by its JSON pointer without the indices of arrays: ``/files`` also stands for ``/files/3``. The last
entry that matches and names a check decides; patterns and lists of hosts and schemes of all that match add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from orchestrator.errors import Problem
from orchestrator.schemas.patterns import PatternError, compile_pattern
from orchestrator.schemas.values import pointer
from orchestrator.strictjson import dumps_canonical
from orchestrator.text import one_line
from orchestrator.validation.addresses import urls_in
from orchestrator.validation.finding import Finding
from orchestrator.validation.inputs import MAX_INPUT_BYTES, MAX_INPUT_DEPTH
from orchestrator.validation.markers import CHECKS, TERMS

Mode = Literal["deny", "warn", "off"]
_MOST: Final = 20  # findings of each kind; more would help nobody
_GLIMPSE: Final = 24  # characters of a value that a message may show, and never more than half of it


@dataclass(frozen=True, slots=True)
class FieldRules:
    """``name`` (RE2, found anywhere) selects pointers. ``pattern`` (RE2) must match the whole of a text; "": any."""

    name: str
    checks: Mapping[str, Mode]
    pattern: str = ""
    schemes: tuple[str, ...] = ()  # of URLs; empty: any
    hosts: tuple[str, ...] = ()  # of URLs, each with all that is beneath it; empty: any


@dataclass(frozen=True, slots=True)
class InputRules:
    max_bytes: int = MAX_INPUT_BYTES  # as canonical JSON
    max_depth: int = MAX_INPUT_DEPTH
    checks: Mapping[str, Mode] = field(default_factory=lambda: MappingProxyType({}))
    fields: tuple[FieldRules, ...] = ()


# -- loading ----------------------------------------------------------------------------------------------------


def input_rules(document: Mapping[str, Any]) -> InputRules:
    """From a policy file that the schema accepted and ``bad_inputs`` found nothing wrong with."""
    table = dict(document.get("inputs", {}))
    table["checks"] = MappingProxyType(dict(table.get("checks", {})))
    table["fields"] = tuple(_field(entry) for entry in table.get("fields", ()))
    return InputRules(**table)


def _field(entry: Mapping[str, Any]) -> FieldRules:
    lists = {key: tuple(value.lower() for value in entry.get(key, ())) for key in ("schemes", "hosts")}
    return FieldRules(entry["name"], MappingProxyType(dict(entry.get("checks", {}))), entry.get("pattern", ""), **lists)


def bad_inputs(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What the schema cannot say: names of checks, patterns that RE2 refuses, checks that need a field."""
    table = document.get("inputs", {})
    yield from _bad_checks(table.get("checks", {}), "/inputs/checks", everywhere=True)
    for index, entry in enumerate(table.get("fields", ())):
        where = f"/inputs/fields/{index}"
        yield from _bad_checks(entry.get("checks", {}), f"{where}/checks", everywhere=False)
        for key, form in (("name", "{}"), ("pattern", _WHOLE)):
            try:
                compile_pattern(form.format(entry.get(key, "")))
            except PatternError as error:
                yield Problem(f"{where}/{key}", f"is no pattern: {error}", "a regular expression in RE2's syntax")


def _bad_checks(checks: Mapping[str, str], where: str, *, everywhere: bool) -> Iterator[Problem]:
    for name in checks:
        if name not in CHECKS:
            yield Problem(f"{where}/{name}", "there is no such check", "one of " + ", ".join(CHECKS))
        elif everywhere and CHECKS[name].by_field and checks[name] != "off":
            yield Problem(f"{where}/{name}", f"{name} would refuse ordinary text", "it in a [[inputs.fields]] only")


# -- judging ----------------------------------------------------------------------------------------------------

_WHOLE: Final = r"\A(?:{})\z"


@dataclass(frozen=True, slots=True)
class _Terms:
    """What holds for one field."""

    checks: tuple[tuple[str, Mode], ...]  # those that are not off
    patterns: tuple[str, ...]
    schemes: frozenset[str]
    hosts: tuple[str, ...]


def judge_inputs(
    inputs: Mapping[str, Any], rules: InputRules, level: str
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Violations and warnings, at most 20 of each; for plain JSON values that ``merge_and_check`` returned.

    A finding's ``subject`` is the field's JSON pointer. No message shows more of a value than half of it, up to 24
    characters, escaped.
    """
    bounds = tuple(_over_bounds(inputs, rules, level))
    if bounds:
        return bounds, ()
    violations: list[Finding] = []
    warnings: list[Finding] = []
    known: dict[str, _Terms] = {}
    for where, name, text in _texts(inputs):
        terms = known.get(name) or known.setdefault(name, _terms(name, rules))
        for mode, found in _against(text, terms, where, level):
            if mode == "deny":
                violations.append(found)
                if len(violations) >= _MOST:
                    return tuple(violations), tuple(warnings)
            elif len(warnings) < _MOST:
                warnings.append(found)
    return tuple(violations), tuple(warnings)


def _over_bounds(inputs: Mapping[str, Any], rules: InputRules, level: str) -> Iterator[Finding]:
    size, depth = len(dumps_canonical(inputs)), _depth(inputs)
    if size > rules.max_bytes:
        message = f"{TERMS['INP151']} ({level}): they take {size} bytes as JSON, the limit is {rules.max_bytes}"
        yield Finding("INP151", "", message, fix="put large data into the vault, and give its path")
    if depth > rules.max_depth:
        message = f"{TERMS['INP152']} ({level}): {depth} levels, the limit is {rules.max_depth}"
        yield Finding("INP152", "", message, fix="give flatter values")


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def _texts(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Every string, keys included: its pointer, the pointer without indices, the text. In order of the document."""
    stack: list[tuple[str, str, Any]] = [("", "", inputs)]
    while stack:
        where, name, value = stack.pop()
        if isinstance(value, str):
            yield where, name, value
        elif isinstance(value, dict):
            members = [(pointer(key, base=where), pointer(key, base=name), inner) for key, inner in value.items()]
            yield from ((at, "", key) for (at, _, _), key in zip(members, value, strict=True))
            stack.extend(reversed(members))
        elif isinstance(value, list):
            stack.extend((f"{where}/{index}", name, value[index]) for index in range(len(value) - 1, -1, -1))


def _terms(name: str, rules: InputRules) -> _Terms:
    """``name`` "" is that of keys, which no field entry is about."""
    modes: dict[str, Mode] = {check: "off" if CHECKS[check].by_field else "warn" for check in CHECKS}
    modes.update(rules.checks)
    matching = [entry for entry in rules.fields if name and compile_pattern(entry.name).found_in(name)]
    for entry in matching:
        modes.update(entry.checks)
    return _Terms(
        checks=tuple((check, mode) for check, mode in modes.items() if mode != "off"),
        patterns=tuple(entry.pattern for entry in matching if entry.pattern),
        schemes=frozenset(scheme for entry in matching for scheme in entry.schemes),
        hosts=tuple(host for entry in matching for host in entry.hosts),
    )


def _against(text: str, terms: _Terms, where: str, level: str) -> Iterator[tuple[Mode, Finding]]:
    for name, mode in terms.checks:
        check = CHECKS[name]
        if found := check.find(text):
            message = f"input {where} {check.title}: {_glimpse(found, text)} (policy {level}, [inputs] {name})"
            yield mode, Finding(check.id, where, message, check.fix, "error" if mode == "deny" else "warning")
    for pattern in terms.patterns:
        if not compile_pattern(_WHOLE.format(pattern)).found_in(text):
            message = f"input {where}: {TERMS['INP153']}: {_glimpse(text, text)} (policy {level})"
            yield "deny", Finding("INP153", where, message, f"give a text that matches {one_line(pattern, 200)}")
    if terms.schemes or terms.hosts:
        yield from (("deny", found) for found in _urls(text, terms, where, level))


def _urls(text: str, terms: _Terms, where: str, level: str) -> Iterator[Finding]:
    for url in urls_in(text):
        if terms.schemes and url.scheme not in terms.schemes:
            message = f"input {where}: {TERMS['INP154']}: {one_line(url.scheme, 40) or 'none'} (policy {level})"
            yield Finding("INP154", where, message, f"use one of {', '.join(sorted(terms.schemes))}")
            return
        outside = [host for host in url.hosts or ("",) if not _is_listed(host.lower().rstrip("."), terms.hosts)]
        if terms.hosts and outside:
            message = f"input {where}: {TERMS['INP155']}: {one_line(outside[0], 80) or 'none'} (policy {level})"
            yield Finding("INP155", where, message, f"use one of {', '.join(terms.hosts)}")
            return


def _is_listed(host: str, listed: tuple[str, ...]) -> bool:
    return any(host == each or host.endswith("." + each) for each in listed)


def _glimpse(found: str, text: str) -> str:
    """What a check found, quoted: escaped, short, and never the whole of a value that could be a secret."""
    most = max(1, min(_GLIMPSE, (len(text) + 1) // 2))
    shown = one_line(found, most + 1).removesuffix("…")[:most]
    return f'"{shown}{"…" if len(found) > most else ""}" in {len(text)} characters'
