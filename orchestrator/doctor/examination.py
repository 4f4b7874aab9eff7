"""The whole examination, in order: what the engine says, the kernel, this host, the set-up, then the live probe.

Nothing here raises for what it finds: whatever cannot be looked at becomes a result that says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final

from orchestrator.doctor import engine, host, kernel, probe, setup
from orchestrator.doctor.model import Question, Report, Result, Severity, examine, failed, unknown
from orchestrator.errors import OrchestratorError
from orchestrator.installation import Installation
from orchestrator.sandbox.discovery import engine_url
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.spec import SandboxSpec
from orchestrator.settings import Settings

Step = Callable[[str], None]
_FIX: Final = "the checks above say what is missing"


def examine_installation(settings: Settings, step: Step = lambda _message: None) -> Report:
    """Everything. ``step`` is told what is being looked at. Starts one sandbox a level, and removes it."""
    results: list[Result] = []
    step("asking the engine")
    facts, store = _engine_facts(settings)
    try:
        results += examine(engine.CHECKS, facts)
        same = facts.info is not None and not facts.info.remote and facts.info.kernel == os.uname().release
        results += examine(kernel.CHECKS, kernel.gather(same=same))
        results += examine(host.CHECKS, host.gather(settings))
        step("looking at image and policies")
        results += examine(setup.CHECKS, setup.SetupFacts(settings, store if facts.info else None))
    finally:
        if store is not None:
            store.close()
    results += probe_all(settings, step)
    return Report(tuple(results))


def _engine_facts(settings: Settings) -> tuple[engine.EngineFacts, DockerEngine | None]:
    url = settings.docker_host or ""
    store: DockerEngine | None = None
    try:
        url = engine_url(settings)
        store = DockerEngine(url)
        return engine.EngineFacts(url, store.info()), store
    except OrchestratorError as error:
        return engine.EngineFacts(url, None, error.message), store


def probe_all(settings: Settings, step: Step = lambda _message: None) -> Iterator[Result]:
    """The live probe of every level that has a policy. One result says why there is none."""
    check = Question("probe.installation", "an orchestrator can be opened", Severity.FATAL, _FIX)
    try:
        installation = Installation(settings)
    except OrchestratorError as error:
        yield check.settled(failed(str(error)))
        return
    try:
        for level in installation.policies.levels():
            step(f"probing a sandbox of level {level}")
            yield from _probe_one(level, installation)
    except OrchestratorError as error:
        yield check.settled(unknown(str(error)))
    finally:
        installation.close()


def _probe_one(level: str, installation: Installation) -> Iterator[Result]:
    made: list[str] = []

    def make(spec: SandboxSpec) -> Sandbox:
        sandbox = installation.make(spec)
        made.append(sandbox.id)
        return sandbox

    spec = installation.policies.current(level).warm_spec(installation.host)
    yield from probe.probe_level(level, make, spec)
    for container_id in made:
        yield probe.gone(level, installation.engine, container_id)
