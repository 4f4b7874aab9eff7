"""The registry's rules (REG...): why a skill does not run although the policy may allow it, as data."""

from __future__ import annotations

from types import MappingProxyType

from orchestrator.text import one_line
from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import Rule

_RULES = (
    Rule(
        "REG101",
        "another skill than the registered one of this name and version",
        "a name and version mean one manifest for ever",
        "give the changed skill a version of its own, or run the registered one by name",
        mandatory=True,
    ),
    Rule(
        "REG102",
        "a disabled skill",
        "somebody took this version out of use",
        "use another version, or `orchestrator skills enable` it",
        mandatory=True,
    ),
    Rule(
        "REG103",
        "a quarantined skill",
        "it failed, or was refused, again and again",
        "wait for its trial run, correct it under a new version, or `orchestrator skills enable` it",
        mandatory=True,
    ),
)

RULES = MappingProxyType({rule.id: rule for rule in _RULES})


def finding(rule_id: str, subject: str, detail: str) -> Finding:
    """``subject`` is "name@version"."""
    rule = RULES[rule_id]
    return Finding(rule_id, one_line(subject, 240), one_line(f"{rule.title}: {detail}", 1000), rule.fix)
