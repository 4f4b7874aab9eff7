"""The registry's values. Times are Unix seconds, hashes lower-case hex. Names, owners and tags are untrusted text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.records.deeds import Deed
from orchestrator.registry.health import Health
from orchestrator.registry.statistics import Statistics

PersonalKind = Literal["registered", "changed", "disabled", "enabled"]
"""What a person did. Kept as long as the skill is."""
FollowedKind = Literal["quarantined", "trial", "released", "standing_lost"]
"""What followed from runs."""
EventKind = PersonalKind | FollowedKind

Counts = Literal["both", "run", "outcome"]
"""What is counted of a run: that it took place (statistics), how it ended (health). A call that tries again counts each
of its runs, and of their endings the last."""


@dataclass(frozen=True, slots=True)
class RegisteredSkill:
    """A name and a version that mean one manifest (``digest``, code included) for ever. The rest is metadata."""

    name: str
    version: str
    digest: str
    code_sha256: str
    owner: str
    tags: tuple[str, ...]
    registered_at: float
    registered_by: str
    disabled: bool = False
    reason: str = ""  # why it is disabled

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How the runs of one code under one name and version went; "" as code for one that never ran."""

    name: str
    version: str
    code_sha256: str
    health: Health = field(default_factory=Health)
    statistics: Statistics = field(default_factory=Statistics)
    lost: tuple[str, ...] = ()  # which of the two are not as they were written, and begin anew with the next run


@dataclass(frozen=True, slots=True)
class KnownSkill:
    """A row of `orchestrator skills list`: registered, or seen running, or both."""

    standing: Standing
    registered: RegisteredSkill | None


@dataclass(frozen=True, slots=True)
class SkillEvent:
    """``by``: a person, or ``ITSELF`` for what followed from runs."""

    name: str
    version: str
    at: float
    by: str
    kind: EventKind
    detail: Mapping[str, Any]

    def deed(self, digest: str = "") -> Deed:
        """As those have it who keep an account. ``digest``: of the registered manifest, where it is known."""
        facts = {**({"digest": digest} if digest else {}), **self.detail}
        return Deed(
            f"skill.{self.kind}", facts.get("run", ""), skill=f"{self.name}@{self.version}", by=self.by, facts=facts
        )


ITSELF = "orchestrator"
