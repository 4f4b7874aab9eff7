"""Is this version of a component one with known holes? A small table, and an honest "unknown".

A distribution fixes bugs without changing the upstream number, so a version with a suffix of its own
(1.1.5+ds1-1+deb12u1) says nothing either way: it is neither passed nor failed, but reported as unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from orchestrator.doctor.model import Seen, Severity, failed, passed, unknown

Version = tuple[int, int, int]

_PLAIN: Final = re.compile(r"v?(\d{1,5})\.(\d{1,5})\.(\d{1,5})(?:-0-g[0-9a-f]{7,40})?", re.ASCII)
"""A release as upstream names it; ``-0-gCOMMIT`` is git's way of saying "exactly that tag"."""


@dataclass(frozen=True, slots=True)
class Advisory:
    """Known holes and where they were fixed: the first good release of each series. Later series are good."""

    name: str
    severity: Severity
    fixed: tuple[Version, ...]

    def concerns(self, version: Version) -> bool:
        series = [each for each in self.fixed if each[:2] == version[:2]]
        if series:
            return version < series[0]
        return version < max(self.fixed)


# Worst first: the first that concerns a version is reported.
RUNC: Final = (
    Advisory("CVE-2024-21626 (leaked descriptors: container escape)", Severity.FATAL, ((1, 1, 12),)),
    Advisory(
        "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881 (mount races: container escape)",
        Severity.FATAL,
        ((1, 2, 8), (1, 3, 3), (1, 4, 0)),
    ),
    Advisory("CVE-2026-41579", Severity.WARNING, ((1, 3, 6), (1, 4, 3))),
)
CONTAINERD: Final = (
    Advisory(
        "CVE-2024-25621 (directories open to local users)",
        Severity.WARNING,
        ((1, 7, 29), (2, 0, 7), (2, 1, 5), (2, 2, 0)),
    ),
)
ENGINE: Final = (
    # Not a hole of its own: the branches below get no fixes from upstream any more.
    Advisory("end of upstream's maintenance", Severity.WARNING, ((25, 0, 0),)),
)


def judge(version: str, advisories: tuple[Advisory, ...]) -> Seen:
    """What is known of ``version`` (untrusted). An unknown one is a warning: only the distribution can tell."""
    if not version:
        return unknown("the engine does not say which", Severity.WARNING)
    match = _PLAIN.fullmatch(version)
    if match is None:
        return unknown(
            f"{version}: a distribution's or a development build, whose fixes the number does not tell",
            Severity.WARNING,
        )
    plain = (int(match[1]), int(match[2]), int(match[3]))
    for advisory in advisories:
        if advisory.concerns(plain):
            return failed(f"{version}: {advisory.name}", advisory.severity)
    return passed(version)
