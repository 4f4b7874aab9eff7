"""Inputs that the policy's ``[inputs]`` denies end the run before a sandbox is taken; marks in prose only warn."""

from __future__ import annotations

from orchestrator import Orchestrator, Status
from tests.core.conftest import manifest

ECHO = "def main(folder='Inbox', text=''):\n    return [folder, text]\n"


def test_a_climbing_path_is_denied_with_the_field_and_the_rule(orchestrator: Orchestrator) -> None:
    leased = orchestrator.stats().leases_total
    result = orchestrator.run(manifest(ECHO), {"folder": "../../etc/passwd"})
    assert result.status is Status.DENIED
    assert [(found.rule, found.subject) for found in result.violations] == [("INP111", "/folder")]
    assert "../../etc/passwd" not in result.reason
    assert result.output is None
    assert orchestrator.stats().leases_total == leased


def test_prose_with_marks_runs_and_warns(orchestrator: Orchestrator) -> None:
    text = "see ../notes; DROP TABLE is SQL"
    result = orchestrator.run(manifest(ECHO), {"text": text})
    assert (result.status, result.output) == (Status.SUCCEEDED, ["Inbox", text])
    assert {"INP111", "INP141"} <= {found.rule for found in result.warnings}
