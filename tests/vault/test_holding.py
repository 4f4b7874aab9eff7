"""Which rules make changes wait: what the policy let pass with a warning."""

from __future__ import annotations

import pytest

from orchestrator.manifest.model import ReviewRules, VaultGrants
from orchestrator.validation.finding import Finding, Severity
from orchestrator.vault.changes import Change, ChangeSet, Entry
from orchestrator.vault.holding import notes_pattern, reasons
from tests.vault.world import World

CHANGES = ChangeSet((Entry(Change("created", "Inbox/a.md")),))
GRANTS = VaultGrants(write=("Inbox",))


def waits(copy: World, *warned: Severity, policy: Severity | None = None, manifest: Severity | None = None) -> bool:
    warnings = [Finding("ORC101", "os", "import of os\x1b", severity=severity) for severity in warned]
    rules = (ReviewRules(on_findings=policy), ReviewRules(on_findings=manifest))
    found = reasons(CHANGES, rules, GRANTS, copy.vault, warnings)
    assert all("ORC101" in reason and "\x1b" not in reason for reason in found)
    return bool(found)


@pytest.mark.parametrize("severity", ["info", "warning", "error"])
def test_a_warning_of_at_least_the_severity_waits(copy: World, severity: Severity) -> None:
    order: tuple[Severity, ...] = ("info", "warning", "error")
    for warned in order:
        assert waits(copy, warned, policy=severity) == (order.index(warned) >= order.index(severity))
    assert not waits(copy, policy=severity)
    assert waits(copy, "info", "error", policy=severity)


def test_a_manifest_asks_for_more_and_never_for_less(copy: World) -> None:
    assert not waits(copy, "info", policy="error")
    assert waits(copy, "info", policy="error", manifest="info")
    assert waits(copy, "info", policy="info", manifest="error")
    assert not waits(copy, "error"), "nobody asked"


def test_without_changes_nothing_waits(copy: World) -> None:
    rule = ReviewRules(on_findings="info", always=True)
    assert reasons(ChangeSet(), (rule,), GRANTS, copy.vault, [Finding("ORC101", "os", "m")]) == ()


def test_the_reason_counts_and_names_the_first(copy: World) -> None:
    warnings = [Finding("ORC301", str(number), f"fact {number}") for number in range(3)]
    (reason,) = reasons(CHANGES, (ReviewRules(on_findings="error"),), GRANTS, copy.vault, warnings)
    assert reason == "the policy warns of its code: [ORC301] fact 0 (and 2 more)"


def test_the_pattern_of_notes_is_tied_to_their_directory() -> None:
    assert notes_pattern("Needs_Action") == "/Needs_Action/* review-????????????.md"
