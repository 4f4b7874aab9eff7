"""What a manifest asks for, held against a policy and an installation: limits, vault, dependencies, host.

A request is granted as it stands or denied; nothing is ever lowered to fit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from orchestrator.manifest.model import VaultGrants
from orchestrator.manifest.requirements import Fault, FaultKind, requirement_of
from orchestrator.policy.decision import Host
from orchestrator.policy.model import Container, VaultRules
from orchestrator.policy.paths import forbidden_by, is_within, path_problem
from orchestrator.policy.rules import violation
from orchestrator.sandbox.spec import Limits, VaultView
from orchestrator.text import one_line
from orchestrator.validation.finding import Finding

# Import names of distributions that do not carry their own name.
DISTRIBUTION_MODULES: Mapping[str, tuple[str, ...]] = {
    "beautifulsoup4": ("bs4",),
    "pillow": ("PIL",),
    "python-dateutil": ("dateutil",),
    "python-frontmatter": ("frontmatter",),
    "pyyaml": ("yaml",),
    "ruamel-yaml": ("ruamel.yaml",),
    "scikit-learn": ("sklearn",),
}


_SHOWN = 1e300  # an int may be beyond what a float can show


def judge_limits(asked: Limits, ceilings: Limits) -> Iterator[Finding]:
    """Every limit must be a positive number and at most its ceiling."""
    for field in fields(Limits):
        value, ceiling = getattr(asked, field.name), getattr(ceilings, field.name)
        subject = f"limits.{field.name}"
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 < value < math.inf:  # NaN compares as false
            shown = f"{min(value, _SHOWN):g}" if number else type(value).__name__
            yield violation("POL202", subject, f"{subject} is {shown}", f"ask for more than 0 and at most {ceiling:g}")
        elif value > ceiling:
            fix = f"ask for at most {ceiling:g}, or for a security_level with a higher ceiling"
            asked_for = f"{min(value, _SHOWN):g}"
            yield violation("POL201", subject, f"{subject} asks for {asked_for}, the ceiling is {ceiling:g}", fix)


def judge_vault(grants: VaultGrants, rules: VaultRules, host: Host) -> Iterator[Finding]:
    """Every directory must be plain, below a root of the policy, and not forbidden; and there must be a vault."""
    asked = [("POL301", "vault.read", path, (*rules.read, *rules.write)) for path in grants.read]
    asked += [("POL302", "vault.write", path, rules.write) for path in grants.write]
    for rule, subject, path, roots in asked:
        problem = path_problem(path)
        if problem:
            fix = "write a path like 'notes/inbox', relative to the vault"
            yield violation("POL305", subject, f"{path!r}: {problem}", fix)
            continue
        if not is_within(path, roots):
            fix = f"ask for a directory below {_listed(roots)}"
            yield violation(rule, subject, f"{path!r} is not below {_listed(roots)}", fix)
        pattern = forbidden_by(path, rules.forbidden)
        if pattern:
            yield violation("POL303", subject, f"{path!r} matches {pattern!r}", "ask for another directory")
    if asked and all(view == "none" for view in host.views):
        yield violation("POL304", "vault", "the skill asks for a vault", "set the vault directory, or ask for none")


def _listed(roots: Iterable[str]) -> str:
    return ", ".join(repr(root) for root in sorted(set(roots))) or "nothing: the policy grants no directory"


def choose_view(container: Container, asks: bool, host: Host) -> tuple[VaultView, tuple[Finding, ...]]:
    """The view of the vault for the spec, from the policy's wish and what works here. ``asks``: the skill needs it."""
    # An overlay shows the whole vault and Landlock confines the skill to its grants; without it only a copy does.
    usable = [view for view in host.views if view == "copy" or (view == "overlay" and host.landlock)]
    if not usable:
        return "none", ()
    if container.vault_view == "auto":
        return usable[0], ()
    if container.vault_view in usable:
        return container.vault_view, ()
    if not asks:
        return "none", ()
    message = f"the policy wants {container.vault_view!r}, usable here: {', '.join(usable)}"
    fix = 'set [container] vault_view = "auto" in the policy, or `orchestrator doctor` says why the view is missing'
    return "none", (violation("POL502", "vault_view", message, fix),)


def judge_syntax(findings: Iterable[Finding], host: Host) -> Iterator[Finding]:
    """Syntax that the scanner found (ORC010, whose subject is a version) must be known to the sandbox's Python."""
    ours = ".".join(map(str, host.python))
    for finding in findings:
        if finding.rule == "ORC010" and not _is_known(finding.subject, host.python):
            message = f"line {finding.line}: {finding.message}, the sandbox runs {ours}"
            yield violation("POL504", finding.subject, message, f"write it in the syntax of Python {ours}")


def _is_known(version: str, ours: tuple[int, int]) -> bool:
    parts = version.split(".")
    return all(part.isdecimal() for part in parts) and tuple(map(int, parts)) <= ours


def judge_host(container: Container, host: Host) -> Iterator[Finding]:
    """What the installation itself must offer."""
    if container.landlock == "required" and not host.landlock:
        fix = 'use a kernel with Landlock (5.13 or later, enabled), or a level with landlock = "preferred"'
        yield violation("POL501", "landlock", "the engine's kernel does not offer it", fix)
    if host.uid <= 0 or host.gid <= 0:
        fix = "set a sandbox user and group other than root"
        yield violation("POL503", "user", f"the sandbox would run as {host.uid}:{host.gid}", fix)
    if not host.image_id.startswith("sha256:"):
        fix = "pin the sandbox image by its id (sha256:...), not by a tag"
        yield violation("POL503", "image", f"{host.image_id!r} is no image id", fix)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """``modules`` are the import names of the requirements that passed."""

    violations: tuple[Finding, ...]
    modules: frozenset[str]


def judge_dependencies(
    texts: Iterable[str], allowed: frozenset[str], packages: Mapping[str, str] | None
) -> Dependencies:
    """PEP 508 requirements: no options, URLs, paths, markers or extras; allowed by the policy; satisfied by the image.

    ``packages`` None: nobody runs anything now, and what the image holds (POL404, POL405) is not judged.
    """
    violations: list[Finding] = []
    modules: set[str] = set()
    installed = None
    if packages is not None:
        installed = {str(canonicalize_name(name)): version for name, version in packages.items()}
    for text in texts:
        wanted = requirement_of(text)
        if isinstance(wanted, Fault):
            violations.append(_faulty(text, wanted))
            continue
        name = canonicalize_name(wanted.name)
        found = [*_not_allowed(name, allowed), *_not_available(name, wanted, installed)]
        violations += found
        if not found:
            modules.update(modules_of(name))
    return Dependencies(tuple(violations), frozenset(modules))


def modules_of(distribution: str) -> tuple[str, ...]:
    """The import names of a distribution (its normalised name)."""
    return DISTRIBUTION_MODULES.get(distribution, (distribution.replace("-", "_"),))


_FAULT_RULES: Mapping[FaultKind, str] = {"url": "POL402", "vcs": "POL402", "path": "POL406", "option": "POL407"}


def _faulty(text: str, fault: Fault) -> Finding:
    fix = "write a name and versions, like 'pyyaml>=6', of a distribution that the image holds"
    rule = _FAULT_RULES.get(fault.kind, "POL401")
    return violation(rule, "dependencies", f"'{one_line(text, 100)}' {fault.message}", fix)


def _not_allowed(name: str, allowed: frozenset[str]) -> Iterator[Finding]:
    if name not in allowed and "*" not in allowed:
        fix = "do without, or have the security team add it to [imports] dependencies_allowed"
        yield violation("POL403", name, f"the policy does not allow {name}", fix)


_BUILD = "in sandbox-image/requirements.txt, with its hashes, and run `orchestrator image build`"


def _not_available(name: str, wanted: Requirement, installed: Mapping[str, str] | None) -> Iterator[Finding]:
    """Whether the image satisfies it; if not, which image would do."""
    if installed is None:
        return
    version = installed.get(name)
    asked = f"{name}{wanted.specifier}"
    if version is None:
        fix = f"do without; or pin {name} to a version that fits '{asked}' {_BUILD}"
        yield violation("POL404", name, f"{asked} is not among the image's packages ({_held(installed)})", fix)
    elif not _satisfies(wanted, version):
        fix = f"ask for a range that includes {version}, like '{name}>={version}'; or pin a version that fits {_BUILD}"
        yield violation("POL405", name, f"it has {name} {version}, asked for is '{asked}'", fix)


def _held(installed: Mapping[str, str]) -> str:
    shown = [f"{name} {version}" for name, version in sorted(installed.items())]
    return one_line(", ".join(shown[:10]) + (", ..." if len(shown) > 10 else ""), 300) or "it holds none"


def _satisfies(wanted: Requirement, version: str) -> bool:
    try:
        return wanted.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False
