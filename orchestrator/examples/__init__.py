"""Example skills, as files: what `orchestrator demo` runs and the documentation shows.

The code files are skills' code: they are read as text, scanned and sent to a sandbox, never imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.results.model import Status

SKILLS: Final = Path(__file__).parent / "skills"


@dataclass(frozen=True, slots=True)
class Example:
    """``expected``: the status with which a run of it ends on an installation that works."""

    name: str
    expected: Status

    @property
    def manifest(self) -> Path:
        return SKILLS / f"{self.name}.json"


EXAMPLES: Final = (
    Example("summarise-inbox", Status.SUCCEEDED),
    Example("front-matter", Status.SUCCEEDED),
    Example("archive-short", Status.HELD),
    Example("loops-forever", Status.TIMED_OUT),
    Example("eats-memory", Status.OUT_OF_MEMORY),
    Example("floods-output", Status.OUTPUT_EXCEEDED),
    Example("denied-by-scanner", Status.DENIED),
    Example("tries-the-network", Status.FAILED),
)
