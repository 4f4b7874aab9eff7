"""Validations as SARIF 2.1.0 (OASIS), for what shows findings beside the code: editors, code hosts, CI. Pure.

Places are counted as the scanner counts them: lines and characters (``unicodeCodePoints``) from 1. A finding in code
that is written inside a manifest has no place in a file: it names the manifest, and the line in its message.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from orchestrator.cli.catalogue import MANIFEST_RULE, Entry, entries
from orchestrator.cli.validation import Validation
from orchestrator.errors import Problem
from orchestrator.manifest.sources import code_place
from orchestrator.validation.finding import Finding

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT: Final = "orchestratorFinding/v1"
ROOT: Final = "%SRCROOT%"


def sarif_log(validations: Sequence[Validation], *, exit_code: int, root: Path) -> dict[str, Any]:
    """One run with all results. ``root`` is the directory that relative addresses start from; a file elsewhere gets an
    absolute one."""
    rules = entries()
    places = {rule: index for index, rule in enumerate(rules)}
    results = [_result(each, places, root) for validation in validations for each in _found(validation)]
    driver = {
        "name": "orchestrator",
        "organization": "skill-orchestrator",
        "semanticVersion": version("skill-orchestrator"),
        "rules": [_descriptor(entry) for entry in rules.values()],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "exitCode": exit_code}],
        "originalUriBaseIds": {ROOT: {"description": {"text": "the directory that the command was started in"}}},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _descriptor(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": _identifier(entry.title),
        "shortDescription": {"text": _plain(entry.title)},
        "fullDescription": {"text": _plain(entry.why)},
        "help": {"text": _plain(entry.fix)},
        "defaultConfiguration": {"level": "warning" if entry.warns else "error"},
        "properties": {"tags": [entry.area], "mandatory": entry.mandatory},
    }


def _identifier(title: str) -> str:
    """Words in Pascal case, as the standard wants names."""
    words = "".join(c if c.isalnum() and c.isascii() else " " for c in title).split()
    return "".join(word[:1].upper() + word[1:] for word in words)


@dataclass(frozen=True, slots=True)
class _Found:
    """``text`` of the finding's line, "" when it has none; ``place`` is the file that line is in, None: in no file."""

    finding: Finding
    level: str
    file: Path
    place: Path | None = None
    text: str = ""
    pointer: str = ""
    nth: int = 0  # of equal ones in one file
    denies: bool = True


def _found(validation: Validation) -> Iterator[_Found]:
    file = validation.file
    for problem in validation.problems:
        yield _Found(_of_problem(problem), "error", file, pointer=problem.pointer)
    skill, decision = validation.skill, validation.decision
    if skill is None or decision is None:
        return
    place, lines, seen = code_place(file), skill.code.split("\n"), Counter[tuple[str, str, str]]()
    for level, findings, denies in (
        ("error", decision.violations, True),
        ("warning", decision.would_deny, False),
        ("note", decision.warnings, False),
    ):
        for finding in findings:
            text = lines[finding.line - 1].strip() if 0 < finding.line <= len(lines) else ""
            key = (finding.rule, finding.subject, text)
            pointer = "/code" if finding.line and place is None else ""
            yield _Found(finding, level, file, place if finding.line else None, text, pointer, seen[key], denies)
            seen[key] += 1


def _of_problem(problem: Problem) -> Finding:
    return Finding(
        MANIFEST_RULE, problem.pointer, f"{problem.pointer or 'the manifest'} {problem.message}", problem.expected
    )


def _result(found: _Found, places: dict[str, int], root: Path) -> dict[str, Any]:
    finding = found.finding
    where = f"line {finding.line}:{finding.column} of the code: " if finding.line and found.place is None else ""
    fix = f" What to do: {finding.fix}." if finding.fix else ""
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": found.level,
        "message": {"text": _plain(f"{where}{finding.message}.{fix}")},
        "locations": [_location(found, root)],
        "partialFingerprints": {FINGERPRINT: _fingerprint(found)},
        "properties": {"denies": found.denies, "subject": finding.subject},
    }
    if finding.rule in places:
        result["ruleIndex"] = places[finding.rule]
    return result


def _location(found: _Found, root: Path) -> dict[str, Any]:
    at: dict[str, Any] = {"artifactLocation": _address(found.place or found.file, root)}
    if found.place is not None:
        region: dict[str, Any] = {"startLine": found.finding.line}
        if found.finding.column:
            region["startColumn"] = found.finding.column
        at["region"] = region
    location: dict[str, Any] = {"physicalLocation": at}
    if found.pointer:
        location["logicalLocations"] = [{"fullyQualifiedName": found.pointer, "kind": "member"}]
    return location


def _address(file: Path, root: Path) -> dict[str, str]:
    """A relative URI where the file is below ``root``. The bytes of the name are escaped: no name is a scheme or a
    query, and none need be UTF-8."""
    absolute = Path(os.path.abspath(file))  # noqa: PTH100 - a link is shown where it is, not where it leads
    if absolute.is_relative_to(root):
        return {"uri": quote(os.fsencode(absolute.relative_to(root))), "uriBaseId": ROOT}
    return {"uri": "file://" + quote(os.fsencode(absolute))}


def _fingerprint(found: _Found) -> str:
    """Stable while the line moves: rule, subject, the line's text, and which of several equal ones it is."""
    parts = (found.finding.rule, found.finding.subject, found.text or found.pointer, str(found.nth))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(text: str) -> str:
    """``[words](address)`` would be a link in a SARIF message, and the words may be a stranger's."""
    return text.replace("](", "] (")
