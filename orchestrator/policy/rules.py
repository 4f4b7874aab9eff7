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
        "POL406": "a dependency is a local path",
        "POL407": "a dependency is an option of the installer",
        "POL501": "Landlock is required and missing",
        "POL502": "no usable view of the vault",
        "POL503": "the installation is not fit to run anything",
        "POL504": "the code is in the syntax of a later Python than the sandbox's",
    }
)


def violation(rule: str, subject: str, message: str, fix: str) -> Finding:
    """One violation of a rule of this module (KeyError for any other)."""
    title = POLICY_RULES[rule]
    return Finding(rule=rule, subject=subject, message=f"{title}: {message}", fix=fix)


# What the guards deny while the code runs; in audit mode they note it instead. The key is the executor's word for it.
GUARD_KINDS = MappingProxyType(
    {
        "import": ("GRD101", "an import off the allow list", "use an allowed module, or add it to [imports] allow"),
        "builtin": ("GRD201", "a denied builtin", "write it without, or take it off [builtins] deny"),
        "event": ("GRD301", "a denied audit event", "write it without, or take it off [guards] denied_events"),
        "opens": ("GRD401", "more file opens than allowed", "open fewer files, or raise [guards] max_opens"),
    }
)
GUARD_RULES = MappingProxyType({rule: title for rule, title, _ in GUARD_KINDS.values()})


def guard_finding(kind: str, name: str) -> Finding:
    """What a guard noted while the code ran (KeyError for a kind it has no word for)."""
    rule, title, fix = GUARD_KINDS[kind]
    return Finding(rule=rule, subject=name, message=f"{title}: {name}", fix=fix)
