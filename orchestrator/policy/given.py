"""A decision on a skill, and what the inputs of one run add to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from orchestrator.policy.decision import Decision
from orchestrator.policy.inputs import judge_inputs

_BOUNDS: Final = frozenset({"INP151", "INP152"})  # denied in audit mode too, as limits are


def with_inputs(decision: Decision, inputs: Mapping[str, Any]) -> Decision:
    """``decision`` with the violations and warnings of ``inputs``, which ``merge_and_check`` returned."""
    found, warnings = judge_inputs(inputs, decision.inputs, decision.level)
    audit = decision.enforcement == "audit"
    violations = tuple(finding for finding in found if not audit or finding.rule in _BOUNDS)
    decision = replace(
        decision,
        warnings=(*decision.warnings, *warnings),
        would_deny=(*decision.would_deny, *(finding for finding in found if finding not in violations)),
    )
    if not violations:
        return decision
    return replace(
        decision, allowed=False, violations=(*decision.violations, *violations), spec=None, limits=None, grants=None,
        guards=None,
    )  # fmt: skip
