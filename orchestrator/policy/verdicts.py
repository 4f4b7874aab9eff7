"""``Verdicts``: decisions that were made before. ``Policy.evaluate`` is pure, so the same question has the same answer.

What is asked with: everything the manifest says, the caller's overrides included; the digest of the code that was
scanned; the policy's digest; the installation's facts; the enforcement. The rule set is fixed within one process. So an
edited policy voids the verdicts of its own level and no others. A scan that did not finish is no fact about the code:
what follows from it is not kept. What changes without any of these - whether a granted directory exists in the vault -
is not judged here.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, fields
from typing import Final

from orchestrator.manifest.model import SkillManifest
from orchestrator.policy.decision import Decision, Host
from orchestrator.policy.model import EnforcementMode
from orchestrator.policy.policy import Policy
from orchestrator.validation.recent import Recent
from orchestrator.validation.scanner import Scanner

_LEVEL_WEIGHT: Final = 20_000  # decisions and their findings, of one level; some 15 MB at most
_FIELDS: Final = tuple(field.name for field in fields(SkillManifest) if field.name != "code")


@dataclass(frozen=True, slots=True)
class _Level:
    """What the decisions of one level hold for."""

    policy_digest: str
    host: Host
    decisions: Recent[tuple[object, ...], Decision]


class Verdicts:
    """Thread-safe. ``asked`` and ``evaluated`` count, for tests and reports."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._lock = threading.Lock()
        self._levels: dict[str, _Level] = {}
        self.asked = 0
        self.evaluated = 0

    @property
    def scans(self) -> int:
        """How many texts had to be scanned."""
        return self._scanner.scans

    def decide(
        self, policy: Policy, skill: SkillManifest, host: Host, enforcement: EnforcementMode | None = None
    ) -> Decision:
        """``policy.evaluate`` of the skill and its inspection."""
        inspection = self._scanner.inspect(skill)
        kept = self._level(policy, host).decisions
        asked = _asked_for(skill) if inspection.finished else None
        key = (inspection.code_digest, enforcement, asked)
        decision = kept.get(key) if asked is not None else None
        if decision is None:
            with self._lock:
                self.evaluated += 1
            decision = policy.evaluate(skill, inspection, host, enforcement)
            if asked is not None:
                findings = (*decision.violations, *decision.warnings, *decision.would_deny)
                kept.put(key, decision, 1 + len(findings))
        return decision

    def _level(self, policy: Policy, host: Host) -> _Level:
        with self._lock:
            self.asked += 1
            found = self._levels.get(policy.level)
            if found is None or found.policy_digest != policy.digest or found.host is not host:
                found = self._levels[policy.level] = _Level(policy.digest, host, Recent(_LEVEL_WEIGHT))
            return found

    def after_fork_in_child(self) -> None:
        """A thread that does not exist here may hold a lock."""
        self._lock = threading.Lock()
        self._levels = {}


def _asked_for(skill: SkillManifest) -> bytes | None:
    """A digest of all that the manifest says. Not ``skill.digest``: one that was changed by hand, or by the caller's
    overrides, still carries the old one. ``repr`` tells 1 from 1.0 and True, which are equal and not judged alike.
    None for what cannot be told in text: an integer with more digits than Python converts."""
    try:
        asked = repr([getattr(skill, name) for name in _FIELDS])
    except ValueError:
        return None
    return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).digest()
