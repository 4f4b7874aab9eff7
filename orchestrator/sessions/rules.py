"""The sessions' rules (SES...): why a session lets no further run begin, as data."""

from __future__ import annotations

from types import MappingProxyType

from orchestrator.text import one_line
from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import Rule

_WHY = "a session's budget holds for all its runs together"
_OPEN = "open another session, with a larger budget if need be"

_RULES = (
    Rule("SES101", "the session's runs are used up", _WHY, _OPEN, mandatory=True),
    Rule("SES102", "the session's wall time is used up", _WHY, _OPEN, mandatory=True),
    Rule("SES103", "the session's CPU time is used up", _WHY, _OPEN, mandatory=True),
    Rule("SES104", "the session's network requests are used up", _WHY, _OPEN, mandatory=True),
    Rule(
        "SES105",
        "what is left of the session is set aside for runs under way",
        "runs side by side must not spend the same time twice",
        "wait for one of them to end, or give runs lower limits",
        mandatory=True,
    ),
    Rule("SES106", "the session is not open any more", "it was closed, or unused for long", _OPEN, mandatory=True),
)  # fmt: skip

RULES = MappingProxyType({rule.id: rule for rule in _RULES})


def finding(rule_id: str, session_id: str, detail: str = "") -> Finding:
    rule = RULES[rule_id]
    message = f"session {session_id}: {rule.title}" + (f" ({detail})" if detail else "")
    return Finding(rule_id, one_line(session_id, 100), one_line(message, 500), rule.fix)
