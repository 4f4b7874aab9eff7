"""Every rule that a finding can name, as one kind of value, whichever part of the project it is of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from orchestrator.outputs.rules import RULES as OUTPUT_RULES
from orchestrator.policy import Policy
from orchestrator.policy.code import mode_of
from orchestrator.policy.enforcement import is_audited
from orchestrator.policy.rules import GUARD_KINDS, POLICY_RULES
from orchestrator.registry.rules import RULES as REGISTRY_RULES
from orchestrator.results.assemble import RULE_NO_POLICY
from orchestrator.sessions.rules import RULES as SESSION_RULES
from orchestrator.validation.finding import Finding
from orchestrator.validation.markers import CHECKS as INPUT_CHECKS
from orchestrator.validation.markers import TERMS as INPUT_TERMS
from orchestrator.validation.rules import RULES as SCANNER_RULES
from orchestrator.vault.rules import RULES as VAULT_RULES

Area = Literal["manifest", "code", "policy", "inputs", "guard", "vault", "outputs", "registry", "sessions"]

# Every problem of a manifest's form: it has a JSON pointer instead of a rule of its own.
MANIFEST_RULE: Final = "MAN001"

# Why, and what to do, for the policy's rules, by their hundreds; each finding carries a fix of its own as well.
_POLICY_REASONS: Final = MappingProxyType(
    {
        "POL0": ("without a policy everything is denied", "`orchestrator policy check` says what is wrong"),
        "POL1": ("a decision holds for one level and one text", "evaluate the skill that is to be run"),
        "POL2": ("nothing is lowered to fit in silence", "ask for less, or for a level with a higher ceiling"),
        "POL3": ("a skill gets the directories it names, and no other", "ask for directories that the policy grants"),
        "POL4": ("nothing is installed for a run", "use what the image holds and the policy allows"),
        "POL5": ("a skill runs only where all its walls stand", "`orchestrator doctor` says what is missing"),
    }
)
_OTHER_REASONS: Final = ("the policy says so", "do as the finding says")


@dataclass(frozen=True, slots=True)
class Entry:
    """``mandatory``: no policy can loosen it. ``warns``: it denies only where a policy says so."""

    id: str
    area: Area
    title: str
    why: str
    fix: str
    mandatory: bool
    warns: bool = False


def entries() -> dict[str, Entry]:
    """All of them by id, in order of area and id."""
    found = (*_manifest(), *_code(), *_policy(), *_inputs(), *_guards(), *_vault(), *_outputs(), *_around())
    return {entry.id: entry for entry in found}


def _manifest() -> Iterator[Entry]:
    why, fix = "what is not understood is not run", "write what is expected at the place that is named"
    yield Entry(MANIFEST_RULE, "manifest", "the manifest is not valid", why, fix, mandatory=True)


def _code() -> Iterator[Entry]:
    for rule in SCANNER_RULES.values():
        fix = rule.fix or "do without, or use a level whose lists allow it"
        yield Entry(rule.id, "code", rule.title, rule.why, fix, rule.mandatory, rule.severity == "warning")


def _policy() -> Iterator[Entry]:
    for rule, title in {RULE_NO_POLICY: "no usable policy for the level", **POLICY_RULES}.items():
        why, fix = _POLICY_REASONS.get(rule[:4], _OTHER_REASONS)
        yield Entry(rule, "policy", title, why, fix, mandatory=True)


def _inputs() -> Iterator[Entry]:
    for check in INPUT_CHECKS.values():
        yield Entry(check.id, "inputs", f"a text {check.title}", check.why, check.fix, mandatory=False, warns=True)
    for rule, title in INPUT_TERMS.items():
        why, fix = "the policy's [inputs] says so", "give what the finding asks for"
        yield Entry(rule, "inputs", title, why, fix, mandatory=True)


def _guards() -> Iterator[Entry]:
    for rule, title, fix in GUARD_KINDS.values():
        yield Entry(rule, "guard", title, "denied while the code runs, behind the scanner", fix, mandatory=False)


def _vault() -> Iterator[Entry]:
    for rule, (message, fix) in VAULT_RULES.items():
        why = "one refusal refuses the whole change set"
        yield Entry(rule, "vault", f"the entry {message}", why, fix, mandatory=True)


def _outputs() -> Iterator[Entry]:
    for rule in OUTPUT_RULES.values():
        yield Entry(rule.id, "outputs", rule.title, rule.why, rule.fix, mandatory=False)


def _around() -> Iterator[Entry]:
    """What refuses a run beside the policy."""
    for rule in (*REGISTRY_RULES.values(), *SESSION_RULES.values()):
        area: Area = "registry" if rule.id in REGISTRY_RULES else "sessions"
        yield Entry(rule.id, area, rule.title, rule.why, rule.fix, rule.mandatory)


def treatment(entry: Entry, policy: Policy) -> str:
    """What the level makes of it, in a word or two."""
    if entry.area == "inputs":
        return _of_inputs(entry, policy)
    if entry.area == "outputs":
        return "[secrets] says" if entry.id.startswith("OUT1") else "[content] says"
    mode = mode_of(entry.id, policy.parts.code) if entry.area == "code" and not entry.mandatory else "deny"
    if mode != "deny":
        return mode
    judged = "lists decide" if entry.area == "code" and SCANNER_RULES[entry.id].is_fact else "deny"
    audited = entry.area == "guard" or is_audited(Finding(entry.id, "", ""))
    return f"{judged} (audit: reported)" if policy.parts.enforcement == "audit" and audited else judged


def _of_inputs(entry: Entry, policy: Policy) -> str:
    """Everywhere; and by field, where that differs."""
    check = next((each for each in INPUT_CHECKS.values() if each.id == entry.id), None)
    if check is None:
        return "deny"
    rules = policy.parts.inputs
    usual = rules.checks.get(check.name, "off" if check.by_field else "warn")
    named = {each.checks[check.name] for each in rules.fields if check.name in each.checks} - {usual}
    return usual + (f" (some fields: {', '.join(sorted(named))})" if named else "")
