"""An engine that maps user ids cannot share a vault's files: that is said at once, not found out by a skill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator, Settings, SettingsError
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.engine import EngineInfo
from tests.core.conftest import manifest


class Mapped(DockerEngine):
    """The real engine, which says of itself that it is rootless, or remaps."""

    says: dict[str, Any]

    def info(self) -> EngineInfo:
        return replace(super().info(), **self.says)


@pytest.mark.parametrize(
    "says", [{"rootless": True}, {"security_options": ("name=seccomp,profile=default", "name=userns")}], ids=str
)
def test_a_vault_is_refused_and_running_without_one_works(
    says: dict[str, Any], engine_url: str, make_settings: Callable[..., Settings], make_vault: Callable[..., Path]
) -> None:
    engine = Mapped(engine_url)
    engine.says = says
    try:
        with pytest.raises(SettingsError, match="maps user ids"):
            Orchestrator(make_settings(vault=make_vault()), engine=engine)
        with Orchestrator(make_settings(), engine=engine) as orchestrator:
            assert orchestrator.run(manifest("def main():\n    return 1\n")).output == 1
    finally:
        engine.close()
