"""The parts of a policy, as frozen values. Field by field they are the tables of a policy file; load.py makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.manifest.model import ReviewRules
from orchestrator.policy.inputs import InputRules
from orchestrator.policy.outputs import OutputRules
from orchestrator.sandbox.spec import Limits
from orchestrator.validation.names import prefixes

Enforcement = Literal["deny", "warn", "off"]
# "audit": what the policy's lists would deny is reported, and the skill runs all the same.
EnforcementMode = Literal["enforce", "audit"]


@dataclass(frozen=True, slots=True)
class Container:
    """What every idle sandbox of the level is made of. Sizes are binary."""

    memory_mb: int
    cpus: float
    pids: int
    tmp_mb: int
    tmp_inodes: int
    nofile: int
    file_mb: int
    seccomp: str  # the profile's JSON text, not its file name
    landlock: Literal["required", "preferred"]
    vault_view: Literal["auto", "overlay", "copy"]
    preload: tuple[str, ...]
    runtime: str = ""


@dataclass(frozen=True, slots=True)
class DottedNames:
    """A set of dotted names; a name stands for everything beneath it."""

    names: frozenset[str]

    def cover(self, dotted: str) -> bool:
        """Whether ``dotted`` or something it is part of is in the set."""
        return any(prefix in self.names for prefix in prefixes(dotted))

    def reach_into(self, dotted: str) -> bool:
        """Whether the set has something beneath ``dotted``: it holds ``os.path``, asked for is ``os``."""
        return any(name.startswith(dotted + ".") for name in self.names)


@dataclass(frozen=True, slots=True)
class CodeRules:
    """What a skill's code may do. Deny wins over allow; what is on no list is denied (imports, attributes)."""

    imports_allow: DottedNames
    imports_deny: DottedNames
    dependencies_allowed: frozenset[str]  # normalised distribution names; "*" is any that the image holds
    builtins_deny: frozenset[str]
    calls_deny: DottedNames
    attributes_allow: frozenset[str]
    rules: Mapping[str, Enforcement]
    tuned: Mapping[str, Mapping[str, Enforcement]] = field(default_factory=dict)  # hex SHA-256 of a code -> its rules


@dataclass(frozen=True, slots=True)
class VaultRules:
    """``read`` and ``write`` are directories below the vault that skills may be granted; ``forbidden`` are patterns
    (paths.py) of paths that no skill is granted or may change."""

    read: tuple[str, ...]
    write: tuple[str, ...]
    forbidden: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GuardRules:
    denied_events: tuple[str, ...]
    max_opens: int


@dataclass(frozen=True, slots=True)
class PoolRules:
    warm_target: int
    max_containers: int
    max_waiting: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a policy file says. ``ceilings`` are the most that a manifest may ask for."""

    container: Container
    ceilings: Limits
    code: CodeRules
    guards: GuardRules
    vault: VaultRules
    pool: PoolRules
    second_stage: bool
    review: ReviewRules
    inputs: InputRules
    outputs: OutputRules
    description: str = ""
    enforcement: EnforcementMode = "enforce"
