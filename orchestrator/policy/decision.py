"""``Decision``: what a policy said about one skill. Only an allowing one carries a spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.manifest.model import ReviewRules, VaultGrants
from orchestrator.policy.inputs import InputRules
from orchestrator.policy.model import EnforcementMode
from orchestrator.policy.outputs import OutputRules
from orchestrator.sandbox.spec import Limits, SandboxSpec, VaultView
from orchestrator.validation.finding import Finding

RECIPE_PYTHON = (3, 13)  # of the image's recipe: what to assume where no image was built yet


@dataclass(frozen=True, slots=True)
class Host:
    """What the installation contributes to a spec: the pinned image, the sandbox's ids, the views it can offer."""

    image_id: str
    packages: Mapping[str, str] | None  # distribution (normalised) -> version, from the image's label; None: unknown
    uid: int
    gid: int
    views: tuple[VaultView, ...]  # usable here, best first; ("overlay", "copy"), ("copy",) or ("none",)
    landlock: bool  # the engine's kernel offers it
    python: tuple[int, int] = RECIPE_PYTHON  # of the image; the code must be in its syntax


@dataclass(frozen=True, slots=True)
class Guards:
    """In-process restrictions for the executor: depth behind the container, never the boundary."""

    imports: tuple[str, ...]  # top-level or dotted modules the skill may import
    denied_builtins: tuple[str, ...]
    denied_events: tuple[str, ...]  # CPython audit events (exact, or a prefix that ends with ".")
    max_opens: int  # file opens per run
    audit: bool = False  # what these would deny is noted, not denied


@dataclass(frozen=True, slots=True)
class Decision:
    """``allowed`` iff there is no violation. ``spec``, ``limits``, ``grants``, ``guards`` are None unless allowed."""

    allowed: bool
    level: str
    policy_digest: str
    violations: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    spec: SandboxSpec | None = None
    limits: Limits | None = None
    grants: VaultGrants | None = None
    guards: Guards | None = None
    second_stage: bool = True  # the executor's own seccomp filter: no fork, exec, ptrace
    forbidden: tuple[str, ...] = ()  # path patterns that no run may change
    review: tuple[ReviewRules, ...] = ()  # the policy's and the manifest's: each may make changes wait
    inputs: InputRules = field(default_factory=InputRules)  # what the inputs of a run are held against (given.py)
    outputs: OutputRules = field(default_factory=OutputRules)  # what becomes of secrets and active content
    enforcement: EnforcementMode = "enforce"
    would_deny: tuple[Finding, ...] = ()  # in audit mode: what would be violations
