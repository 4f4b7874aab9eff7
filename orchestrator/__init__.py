"""Runs code nobody trusts: each skill in a throwaway container from a warm pool, over a vault of notes.

    from orchestrator import Orchestrator, Settings

    with Orchestrator(Settings(vault="~/notes")) as orchestrator:
        result = orchestrator.run("skills/summarise-inbox.json", inputs={"folder": "Inbox"})
        print(result.status, result.output, result.usage.memory_peak_bytes)

Names are loaded when first used (PEP 562): importing the package costs nothing and has no side effects.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.core import Orchestrator
    from orchestrator.errors import (
        CallerError,
        EngineError,
        EngineUnavailable,
        ImageError,
        InputsError,
        ManifestError,
        OperatorError,
        OrchestratorError,
        PolicyError,
        PoolClosed,
        PoolError,
        PoolSaturated,
        PoolTimeout,
        PostureError,
        Problem,
        ProtocolError,
        RegistryError,
        ReviewError,
        SandboxError,
        SessionError,
        SettingsError,
        SkillFailed,
        VaultError,
    )
    from orchestrator.events import RunEvent, Sample
    from orchestrator.manifest import SkillManifest, load_manifest
    from orchestrator.records.errors import RecordsError
    from orchestrator.results.model import FallbackOf, RunResult, SkillError, Status, Timings, Usage
    from orchestrator.sandbox.spec import Limits
    from orchestrator.sessions import Budget, Session, SessionState, Spent
    from orchestrator.settings import Settings
    from orchestrator.validation.finding import Finding
    from orchestrator.vault.changes import Change

_HOMES = {
    "orchestrator.core": ("Orchestrator",),
    "orchestrator.errors": (
        "CallerError",
        "EngineError",
        "EngineUnavailable",
        "ImageError",
        "InputsError",
        "ManifestError",
        "OperatorError",
        "OrchestratorError",
        "PolicyError",
        "PoolClosed",
        "PoolError",
        "PoolSaturated",
        "PoolTimeout",
        "PostureError",
        "Problem",
        "ProtocolError",
        "RegistryError",
        "ReviewError",
        "SandboxError",
        "SessionError",
        "SettingsError",
        "SkillFailed",
        "VaultError",
    ),
    "orchestrator.events": ("RunEvent", "Sample"),
    "orchestrator.manifest": ("SkillManifest", "load_manifest"),
    "orchestrator.records.errors": ("RecordsError",),
    "orchestrator.results.model": ("FallbackOf", "RunResult", "SkillError", "Status", "Timings", "Usage"),
    "orchestrator.sandbox.spec": ("Limits",),
    "orchestrator.sessions": ("Budget", "Session", "SessionState", "Spent"),
    "orchestrator.settings": ("Settings",),
    "orchestrator.validation.finding": ("Finding",),
    "orchestrator.vault.changes": ("Change",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Budget",
    "CallerError",
    "Change",
    "EngineError",
    "EngineUnavailable",
    "FallbackOf",
    "Finding",
    "ImageError",
    "InputsError",
    "Limits",
    "ManifestError",
    "OperatorError",
    "Orchestrator",
    "OrchestratorError",
    "PolicyError",
    "PoolClosed",
    "PoolError",
    "PoolSaturated",
    "PoolTimeout",
    "PostureError",
    "Problem",
    "ProtocolError",
    "RecordsError",
    "RegistryError",
    "ReviewError",
    "RunEvent",
    "RunResult",
    "Sample",
    "SandboxError",
    "Session",
    "SessionError",
    "SessionState",
    "Settings",
    "SettingsError",
    "SkillError",
    "SkillFailed",
    "SkillManifest",
    "Spent",
    "Status",
    "Timings",
    "Usage",
    "VaultError",
    "load_manifest",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
