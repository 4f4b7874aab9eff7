"""What real runs say about their skill, and cost a session: the registry and sessions read it off the result alone."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from orchestrator import Orchestrator, RunResult, Status
from orchestrator.registry.health import Outcome, outcome_of
from orchestrator.registry.statistics import began
from orchestrator.sessions import Spent
from orchestrator.sessions.sharing import cost
from tests.core.conftest import manifest

RESERVED = Spent(60.0, 30.0, 1)
WRITES = 'from pathlib import Path\n\ndef main():\n    Path("/vault/Inbox/.git").mkdir()\n'
CASES: dict[str, tuple[Status, Outcome, str, dict[str, Any]]] = {
    "well": (Status.SUCCEEDED, "s", "def main():\n    return 1\n", {}),
    "raises": (Status.FAILED, "f", "def main():\n    raise ValueError\n", {}),
    "too long": (
        Status.TIMED_OUT,
        "f",
        "def main():\n    while True:\n        pass\n",
        {"limits": {"wall_seconds": 0.3}},
    ),
    "forbidden change": (Status.DENIED, "v", WRITES, {"vault": {"write": ["Inbox"]}}),
    "denied before": (Status.DENIED, "", "import socket\n\ndef main():\n    return 1\n", {}),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_run_says_about_its_skill(orchestrator: Orchestrator, name: str) -> None:
    status, expected, code, more = CASES[name]
    result = orchestrator.run(manifest(code, **more))
    assert (result.status, outcome_of(result)) == (status, expected), result.reason
    assert began(result) == (name != "denied before")
    spent = cost(result, RESERVED)
    if spent is None:
        assert name == "denied before"
    else:
        assert (spent.wall_seconds, spent.runs) == (result.usage.wall_seconds, 1)
        assert 0 < spent.wall_seconds < RESERVED.wall_seconds


def test_a_run_that_was_cancelled_before_it_had_a_sandbox_costs_nothing(orchestrator: Orchestrator) -> None:
    cancel = threading.Event()
    cancel.set()
    result: RunResult = orchestrator.run(manifest("def main():\n    return 1\n"), cancel=cancel)
    assert result.status is Status.CANCELLED
    assert outcome_of(result) == ""
    assert not began(result)
    assert cost(result, RESERVED) is None
