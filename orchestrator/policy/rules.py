"""The policy's own rules (POL...): what a manifest or an installation can violate, as data.

Those of the scanner (ORC...) are in orchestrator/validation/rules.py. None of these can be turned off.
"""

from __future__ import annotations

from types import MappingProxyType

from orchestrator.validation.finding import Finding

POLICY_RULES = MappingProxyType(
    {
        "POL101": "the skill asks for another security level",
        "POL102": "the inspection is of other code",
        "POL201": "a limit is over the policy's ceiling",
        "POL202": "a limit is no positive number",
        "POL301": "a directory to read is outside the policy's roots",
        "POL302": "a directory to write is outside the policy's roots",
        "POL303": "a directory is forbidden",
        "POL304": "no vault is configured",
        "POL305": "a directory is no plain relative path",
        "POL401": "a dependency cannot be understood",
        "POL402": "a dependency comes from a URL",
        "POL403": "a dependency is not allowed",
        "POL404": "a dependency is not in the image",
        "POL405": "the image has another version of a dependency",
        "POL501": "Landlock is required and missing",
        "POL502": "no usable view of the vault",
        "POL503": "the installation is not fit to run anything",
    }
)


def violation(rule: str, subject: str, message: str, fix: str) -> Finding:
    """One violation of a rule of this module (KeyError for any other)."""
    title = POLICY_RULES[rule]
    return Finding(rule=rule, subject=subject, message=f"{title}: {message}", fix=fix)
