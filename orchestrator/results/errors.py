"""The error of a run that failed, with what a person needs to look into it, and nothing that should not leave: inputs
without secrets and not at length, a traceback only where the operator wants such detail. Pure but for the clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from orchestrator.outputs.known import KnownValues
from orchestrator.outputs.secrets import Detector
from orchestrator.outputs.values import screened
from orchestrator.results.model import FAILURES, RunResult, SkillError
from orchestrator.text import escape_controls

MAX_STRING: Final = 200  # characters of one string
MAX_MEMBERS: Final = 20  # of one object or list
MAX_DEPTH: Final = 6
_CUT: Final = "…"


def with_circumstances(
    result: RunResult,
    inputs: Mapping[str, Any],
    *,
    known: KnownValues | None = None,
    verbose: bool = False,
    at: float | None = None,
) -> RunResult:
    """``result`` with its error told in full; unchanged unless it failed. ``verbose`` keeps the traceback; ``at`` is
    the time (default: now)."""
    if result.status not in FAILURES:
        return result
    error = result.error or SkillError(result.status.value, result.reason)
    told = replace(
        error,
        traceback=error.traceback if verbose else "",
        time=time.time() if at is None else at,
        skill=result.skill,
        inputs=sanitised(inputs, Detector(known or KnownValues())),
    )
    return replace(result, error=told)


def sanitised(value: Any, detector: Detector) -> Any:
    """``value`` (JSON) in the same structure: secrets taken out, then cut to a length that one reads. Whatever a policy
    lets through elsewhere: an error travels further than an output."""
    clean, _, _ = screened(_plain(value), detector)
    return _cut(clean, MAX_DEPTH)


def _plain(value: Any) -> Any:
    """Frozen objects and lists (see ``schemas.freeze``) as dicts and lists."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _cut(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _short(value)
    if isinstance(value, dict):
        if depth == 0:
            return {_CUT: len(value)} if value else {}
        kept = {_short(key): _cut(inner, depth - 1) for key, inner in list(value.items())[:MAX_MEMBERS]}
        return kept if len(value) <= MAX_MEMBERS else {**kept, _CUT: f"and {len(value) - MAX_MEMBERS} more"}
    if isinstance(value, list):
        if depth == 0:
            return [_CUT] if value else []
        kept_items = [_cut(inner, depth - 1) for inner in value[:MAX_MEMBERS]]
        return kept_items if len(value) <= MAX_MEMBERS else [*kept_items, f"{_CUT} and {len(value) - MAX_MEMBERS} more"]
    return value


def _short(text: str) -> str:
    shown = escape_controls(text[: MAX_STRING + 1])
    return shown if len(shown) <= MAX_STRING else shown[:MAX_STRING] + _CUT
