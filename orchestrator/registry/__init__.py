"""Skills by name and version, and how they do.

versions.py    "name", "name@1.2", "name@1.2.3": which version is meant (pure)
statistics.py  how runs ended, and how long and large they were (pure)
health.py      healthy, degraded, failing, quarantined (pure)
rules.py       the rules REG...
model.py       the values
standings.py   health and statistics in the records: read before a run, written after it
registry.py    ``Registry``
"""

from orchestrator.registry.model import KnownSkill, RegisteredSkill, SkillEvent, Standing
from orchestrator.registry.registry import Registry, reference_in
from orchestrator.registry.versions import Reference, parse_reference

__all__ = [
    "KnownSkill",
    "Reference",
    "RegisteredSkill",
    "Registry",
    "SkillEvent",
    "Standing",
    "parse_reference",
    "reference_in",
]
