"""``Policy``: one level's rules, and the decision they lead to.

The default is deny: a decision allows only if every judge ran and none found anything. All violations are reported,
not the first one. Nothing a manifest says changes the spec, and what it asks for is never lowered to fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.manifest.model import SkillManifest
from orchestrator.policy import requests
from orchestrator.policy.code import judge, tuned_for
from orchestrator.policy.decision import Decision, Guards, Host
from orchestrator.policy.enforcement import dependencies_in, split
from orchestrator.policy.imports import judge_imports
from orchestrator.policy.model import DottedNames, EnforcementMode, Parts
from orchestrator.policy.rules import violation
from orchestrator.sandbox.spec import SandboxSpec, VaultView
from orchestrator.validation import contract
from orchestrator.validation.finding import Finding
from orchestrator.validation.names import STDLIB_MODULES, STDLIB_SUBMODULES
from orchestrator.validation.scanner import Inspection, digest_of


@dataclass(frozen=True, slots=True)
class Policy:
    """``digest`` is the hex SHA-256 of everything that the policy says, its seccomp profile included."""

    level: str
    digest: str
    parts: Parts

    def evaluate(
        self, skill: SkillManifest, inspection: Inspection, host: Host, enforcement: EnforcementMode | None = None
    ) -> Decision:
        """Hold ``skill`` against this policy on this installation. Pure. ``enforcement`` replaces the policy's own."""
        parts, mode = self.parts, enforcement or self.parts.enforcement
        dependencies = dependencies_in(mode, skill.dependencies, parts.code, host.packages)
        modules = DottedNames(dependencies.modules)
        rules = tuned_for(parts.code, digest_of(skill.code))
        in_code, warnings = judge(_all_findings(skill, inspection, modules, host), self.level, rules, modules)
        asks_vault = bool(skill.vault.read or skill.vault.write)
        view, view_violations = requests.choose_view(parts.container, asks_vault, host)
        found = (
            *self._judge_identity(skill, inspection),
            *in_code,
            *requests.judge_limits(skill.limits, parts.ceilings),
            *requests.judge_vault(skill.vault, parts.vault, host),
            *dependencies.violations,
            *requests.judge_host(parts.container, host),
            *requests.judge_syntax(inspection.findings, host),
            *view_violations,
        )
        violations, would_deny = split(found, mode)
        if violations:
            return Decision(
                False, self.level, self.digest, violations, warnings, enforcement=mode, would_deny=would_deny,
                inputs=parts.inputs,
            )  # fmt: skip
        return Decision(
            True,
            self.level,
            self.digest,
            warnings=warnings,
            spec=self.spec(host, view),
            limits=skill.limits,
            grants=skill.vault,
            guards=self._guards(dependencies.modules, audit=mode == "audit"),
            second_stage=parts.second_stage,
            forbidden=parts.vault.forbidden,
            review=(parts.review, skill.review),
            enforcement=mode,
            would_deny=would_deny,
            inputs=parts.inputs,
            outputs=parts.outputs,
        )

    def _judge_identity(self, skill: SkillManifest, inspection: Inspection) -> tuple[Finding, ...]:
        found = []
        if skill.security_level != self.level:
            message = f"it asks for {skill.security_level!r}, this policy is {self.level!r}"
            found.append(violation("POL101", "security_level", message, "evaluate it with that level's policy"))
        if inspection.code_digest != digest_of(skill.code):
            message = "the findings do not belong to this code"
            found.append(violation("POL102", "code", message, "inspect the manifest that is to be run"))
        return tuple(found)

    def spec(self, host: Host, view: VaultView) -> SandboxSpec:
        """What every sandbox of this level is made of here; also what a pool warms before any skill is known."""
        container = self.parts.container
        return SandboxSpec(
            level=self.level,
            image_id=host.image_id,
            uid=host.uid,
            gid=host.gid,
            memory_bytes=container.memory_mb * 2**20,
            cpus=container.cpus,
            pids=container.pids,
            tmp_bytes=container.tmp_mb * 2**20,
            tmp_inodes=container.tmp_inodes,
            nofile=container.nofile,
            file_bytes=container.file_mb * 2**20,
            seccomp=container.seccomp,
            landlock=container.landlock,
            vault_view=view,
            runtime=container.runtime,
            preload=container.preload,
        )

    def warm_spec(self, host: Host) -> SandboxSpec:
        """The spec that a skill without a vault request gets: what to keep warm."""
        view, _ = requests.choose_view(self.parts.container, False, host)
        return self.spec(host, view)

    def _guards(self, modules: frozenset[str], *, audit: bool) -> Guards:
        code, guards = self.parts.code, self.parts.guards
        return Guards(
            imports=tuple(sorted({_module_of(name) for name in code.imports_allow.names} | modules)),
            denied_builtins=tuple(sorted(code.builtins_deny)),
            denied_events=guards.denied_events,
            max_opens=guards.max_opens,
            audit=audit,
        )


def _all_findings(
    skill: SkillManifest, inspection: Inspection, modules: DottedNames, host: Host
) -> tuple[Finding, ...]:
    """What the code is, what it says about its manifest, and where its imports come from."""
    outline = inspection.outline
    imported = {use.name: use.line for use in outline.uses if use.name in inspection.imports}
    return (
        *inspection.findings,
        *contract.judge(skill, outline),
        *judge_imports(imported, modules, host.packages),
    )


def _module_of(allowed: str) -> str:
    """The module to import for an allowed name: ``sys`` for ``sys.maxsize``, ``os.path`` for itself."""
    root, _, rest = allowed.partition(".")
    is_part = rest and root in STDLIB_MODULES and allowed not in STDLIB_SUBMODULES
    return allowed.rpartition(".")[0] if is_part else allowed
