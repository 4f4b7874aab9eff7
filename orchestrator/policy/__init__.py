"""Policies: what each security level allows, how that is written down, and the decision about one skill."""

from orchestrator.policy.decision import Decision, Guards, Host
from orchestrator.policy.load import default_policy_dir, load_policy
from orchestrator.policy.policy import Policy
from orchestrator.policy.schema import policy_schema
from orchestrator.policy.store import CheckReport, PolicyStore, check
from orchestrator.policy.verdicts import Verdicts

__all__ = [
    "CheckReport",
    "Decision",
    "Guards",
    "Host",
    "Policy",
    "PolicyStore",
    "Verdicts",
    "check",
    "default_policy_dir",
    "load_policy",
    "policy_schema",
]
