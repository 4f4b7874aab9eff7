"""Checks of what an operator set up: the image, the policies, and what dead orchestrators left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from orchestrator.doctor.model import Check, Seen, Severity, either, failed, passed, unknown
from orchestrator.errors import ImageError
from orchestrator.image.model import SIZE_LIMIT, verify
from orchestrator.image.state import recall
from orchestrator.policy import check as check_policies
from orchestrator.policy import default_policy_dir
from orchestrator.sandbox.engine import ContainerRow
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.sandbox.ownership import Instance
from orchestrator.settings import Settings

LEVELS: Final = ("relaxed", "standard", "strict")


class Store(Protocol):
    """What is asked of the engine here."""

    def inspect_image(self, reference: str, /) -> Mapping[str, Any] | None: ...

    def list(self, labels: Mapping[str, str], /) -> list[ContainerRow]: ...


@dataclass(frozen=True, slots=True)
class SetupFacts:
    """``store`` None: no engine."""

    settings: Settings
    store: Store | None


def _remembered(facts: SetupFacts) -> Seen:
    if facts.settings.image is not None:
        return passed(f"set to {facts.settings.image}")
    image = recall(facts.settings.state_dir)
    return failed("none was built") if image is None else passed(f"{image.image_id}, Python {image.python_version}")


def _verified(facts: SetupFacts) -> Seen:
    image = recall(facts.settings.state_dir)
    if facts.store is None or image is None:
        return unknown("no engine, or no image was built")
    document = facts.store.inspect_image(image.image_id)
    if document is None:
        return failed("the engine does not have it")
    try:
        verify(document, image)
    except ImageError as error:
        return failed(error.message)
    return passed("user, command, environment and layer are those that were built; no volume, no health check")


def _size(facts: SetupFacts) -> Seen:
    image = recall(facts.settings.state_dir)
    if image is None:
        return unknown("no image was built")
    return either(image.size_bytes <= SIZE_LIMIT, f"{image.size_bytes / 2**20:.1f} MB")


def _policies(facts: SetupFacts) -> Seen:
    report = check_policies(facts.settings.policy_dir or default_policy_dir())
    if report.ok:
        return passed(f"{', '.join(report.levels)}; digest {report.digest[:16]}")
    first = "; ".join(f"{name}: {problems[0]}" for name, problems in sorted(report.problems.items()) if problems)
    return failed(first)


def _levels(facts: SetupFacts) -> Seen:
    report = check_policies(facts.settings.policy_dir or default_policy_dir())
    missing = [level for level in LEVELS if level not in report.levels]
    return either(not missing, "missing: " + ", ".join(missing) if missing else ", ".join(report.levels))


def _containers(facts: SetupFacts) -> Seen:
    if facts.store is None:
        return unknown("no engine answered")
    if not facts.settings.state_dir.exists():
        return passed("the state directory is new")
    instance = Instance(facts.settings.state_dir)
    try:
        rows = facts.store.list({LABEL: "", LABEL_STATE: instance.state_id})
        dead = [row.name for row in rows if not instance.alive(row.labels.get(LABEL_INSTANCE, ""))]
        return either(not dead, f"{len(dead)} of {len(rows)}: {', '.join(dead[:5])}" if dead else "none")
    finally:
        instance.release()


_F, _W = Severity.FATAL, Severity.WARNING

CHECKS: Final[tuple[Check[SetupFacts], ...]] = (
    Check(
        "image.built",
        "a sandbox image is pinned",
        _F,
        _remembered,
        "`make sandbox-image` or `orchestrator image build`",
    ),
    Check("image.verified", "the engine holds exactly that image", _F, _verified, "`orchestrator image build --force`"),
    Check("image.size", "it is small", Severity.INFO, _size, "see sandbox-image/README.md"),
    Check(
        "policy.valid", "the policy files are valid", _F, _policies, "`orchestrator policy check` lists what is wrong"
    ),
    Check(
        "policy.levels", "every level has a policy", _W, _levels, "restore the missing file; its level denies every run"
    ),
    Check("leftovers.containers", "nothing is left of dead orchestrators", _W, _containers, "`orchestrator cleanup`"),
)
