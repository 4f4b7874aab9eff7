"""The key ``on_error``: from its three spellings to ``OnError``, back to the canonical one, and what a schema cannot
say about it. Pure.

``"review"`` alone stays written as that word, so a manifest from before the other forms keeps its digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from orchestrator.errors import Problem
from orchestrator.manifest.model import FallbackRule, OnError, RetryRule
from orchestrator.schemas import SchemaError, compiled, freeze, thaw
from orchestrator.schemas.explain import quote
from orchestrator.strictjson import dumps_canonical

MAX_VALUE_BYTES: Final = 64 * 1024
_VALUE: Final = "/on_error/fallback/value"
_REVIEW: Final = OnError(review=True)


def on_error_of(asked: str | list[str] | Mapping[str, Any]) -> OnError:
    """``asked`` fits the manifest's schema."""
    if isinstance(asked, str):
        asked = [asked]
    if isinstance(asked, list):
        return OnError(RetryRule() if "retry" in asked else None, review="review" in asked, alert="alert" in asked)
    retry, fallback = asked.get("retry"), asked.get("fallback")
    return OnError(
        None if retry is None else _retry(retry),
        None if fallback is None else FallbackRule(fallback.get("skill", ""), freeze(fallback.get("value"))),
        review=asked.get("review", False),
        alert=asked.get("alert", False),
    )


def _retry(asked: Mapping[str, Any]) -> RetryRule:
    """Statuses sorted, and seconds as floats: one rule, one digest."""
    default = RetryRule()
    return RetryRule(
        int(asked.get("attempts", default.attempts)),
        tuple(sorted(asked.get("on", default.on))),
        float(asked.get("wait_seconds", default.wait_seconds)),
    )


def on_error_document(recovery: OnError) -> str | dict[str, Any]:
    """What ``on_error_of`` makes the same of; every default of a rule that is asked for is filled in."""
    if recovery == _REVIEW:
        return "review"
    document: dict[str, Any] = {}
    if (retry := recovery.retry) is not None:
        document["retry"] = {"attempts": retry.attempts, "on": sorted(retry.on), "wait_seconds": retry.wait_seconds}
    if (fallback := recovery.fallback) is not None:
        document["fallback"] = {"skill": fallback.skill} if fallback.skill else {"value": thaw(fallback.value)}
    for name in ("review", "alert"):
        if getattr(recovery, name):
            document[name] = True
    return document


def fallback_problems(document: Mapping[str, Any]) -> list[Problem]:
    """A constant must be what the skill itself could have returned; a skill cannot stand in for itself."""
    asked = document.get("on_error")
    fallback = asked.get("fallback") if isinstance(asked, dict) else None
    if not isinstance(fallback, dict):
        return []
    if "value" in fallback:
        return _value_problems(fallback["value"], document.get("output_schema"))
    if fallback.get("skill") == f"{document.get('name')}@{document.get('version')}":
        return [Problem("/on_error/fallback/skill", f"is {quote(fallback['skill'])}, this skill", "another skill")]
    return []


def _value_problems(value: Any, schema: Any) -> list[Problem]:
    size = len(dumps_canonical(value))
    if size > MAX_VALUE_BYTES:
        return [Problem(_VALUE, f"takes {size} bytes", f"at most {MAX_VALUE_BYTES}")]
    if isinstance(schema, dict):
        with suppress(SchemaError):  # ``schema_problems`` reports it
            return compiled(schema).problems(value, _VALUE)
    return []
