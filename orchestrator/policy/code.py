"""What a policy makes of the scanner's findings: violations, warnings, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from types import MappingProxyType

from orchestrator.policy.model import CodeRules, DottedNames, Enforcement
from orchestrator.validation.finding import Finding
from orchestrator.validation.names import STDLIB_MODULES
from orchestrator.validation.rules import RULES

# A judge says what is wrong with a fact ("" if nothing).
Judge = Callable[[str, CodeRules, DottedNames], str]


def judge(
    findings: Iterable[Finding], level: str, code: CodeRules, dependencies: DottedNames
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Violations and warnings. ``dependencies`` are the modules of the manifest's accepted dependencies.

    A violation is an error. A warning keeps the severity of its rule: being in that list says that it did not deny.
    """
    violations: list[Finding] = []
    warnings: list[Finding] = []
    for finding in findings:
        rule = RULES.get(finding.rule)
        mode = mode_of(finding.rule, code)
        mandatory = rule is None or rule.mandatory  # a rule nobody knows cannot be loosened either
        if mode == "off" and not mandatory:
            continue
        judged = _against_lists(finding, level, code, dependencies)
        if judged is None:
            continue
        if mode == "warn" and not mandatory:
            warnings.append(judged)
        else:
            violations.append(replace(judged, severity="error"))
    return tuple(violations), tuple(warnings)


def tuned_for(code: CodeRules, digest: str) -> CodeRules:
    """The rules for the code with that hex SHA-256. By its hash, since a name can be taken by any manifest."""
    tuned = code.tuned.get(digest)
    return code if tuned is None else replace(code, rules={**code.rules, **tuned})


def mode_of(rule_id: str, code: CodeRules) -> Enforcement:
    """What a finding of the rule leads to: what the policy says; else a warning for rules of that severity, a denial
    for all others."""
    rule = RULES.get(rule_id)
    return code.rules.get(rule_id, "warn" if rule is not None and rule.severity == "warning" else "deny")


def _against_lists(finding: Finding, level: str, code: CodeRules, dependencies: DottedNames) -> Finding | None:
    rule = RULES.get(finding.rule)
    if rule is None or not rule.is_fact:
        return finding
    judge_fact = _JUDGES.get(finding.rule)
    reason = judge_fact(finding.subject, code, dependencies) if judge_fact else "no list of the policy knows"
    if not reason:
        return None
    message = f"{finding.message}, which {reason} (policy {level})"
    return replace(finding, message=message, fix=finding.fix or _general_fix(finding))


def _general_fix(finding: Finding) -> str:
    if finding.rule in ("ORC101", "ORC401"):
        if finding.subject.partition(".")[0] not in STDLIB_MODULES:
            return "list its distribution in the manifest's dependencies, if the image has it; or do without"
        return "use an allowed module, or a security_level whose [imports] allow this one"
    return "write it without"


def _import(subject: str, code: CodeRules, dependencies: DottedNames) -> str:
    if code.imports_deny.cover(subject):
        return "is on the deny list [imports]"
    if code.calls_deny.cover(subject):
        return "is on the deny list [calls]"
    if code.imports_allow.cover(subject) or dependencies.cover(subject):
        return ""
    # `import os` where only os.path is allowed: its uses are judged one by one
    return "" if code.imports_allow.reach_into(subject) else "is not on the allow list [imports]"


def _module_name(subject: str, code: CodeRules, dependencies: DottedNames) -> str:
    root = subject.partition(".")[0]
    known = code.imports_allow.cover(root) or code.imports_allow.reach_into(root) or dependencies.cover(root)
    if not known and not code.calls_deny.cover(subject):
        return ""  # its import is denied: one finding is enough
    return _import(subject, code, dependencies)


def _builtin(subject: str, code: CodeRules, dependencies: DottedNames) -> str:
    return "is on the deny list [builtins]" if subject in code.builtins_deny else ""


def _attribute(subject: str, code: CodeRules, dependencies: DottedNames) -> str:
    return "" if subject in code.attributes_allow else "is not on the allow list [attributes]"


def _syntax(subject: str, code: CodeRules, dependencies: DottedNames) -> str:
    return ""  # requests.judge_syntax holds it against the sandbox's Python


_JUDGES = MappingProxyType(
    {"ORC010": _syntax, "ORC101": _import, "ORC201": _builtin, "ORC301": _attribute, "ORC401": _module_name}
)
