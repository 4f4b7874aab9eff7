"""The rule ids that a finding of this release can name. Any other text in its place is not made a label."""

from __future__ import annotations

from typing import Final

from orchestrator.outputs.rules import RULES as OUTPUT_RULES
from orchestrator.policy.rules import GUARD_KINDS, POLICY_RULES
from orchestrator.registry.rules import RULES as REGISTRY_RULES
from orchestrator.results.assemble import RULE_NO_POLICY
from orchestrator.sessions.rules import RULES as SESSION_RULES
from orchestrator.validation.markers import CHECKS, TERMS
from orchestrator.validation.rules import RULES as SCANNER_RULES
from orchestrator.vault.rules import RULES as VAULT_RULES

RULES: Final = frozenset(
    (
        RULE_NO_POLICY,
        *SCANNER_RULES,
        *POLICY_RULES,
        *(check.id for check in CHECKS.values()),
        *TERMS,
        *(rule for rule, _, _ in GUARD_KINDS.values()),
        *VAULT_RULES,
        *REGISTRY_RULES,
        *SESSION_RULES,
        *(rule.id for rule in OUTPUT_RULES.values()),
    )
)
