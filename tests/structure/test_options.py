"""What ``Orchestrator.run`` takes by name is written down more than once: for its twin, and for type checkers."""

from __future__ import annotations

import inspect
from typing import get_type_hints

from orchestrator import Orchestrator
from orchestrator.core import RunOptions


def by_name(function: object) -> set[str]:
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return {each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}


def test_the_awaitable_twin_takes_what_run_takes() -> None:
    """But for ``cancel``: cancelling the task is that."""
    assert set(get_type_hints(RunOptions)) == by_name(Orchestrator.run) - {"cancel"}
