"""``SandboxMaker``: from a spec to a warm sandbox, named and labelled as ours. What the pool calls."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from loguru import logger

from orchestrator.errors import EngineError
from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.options import LABEL, LABEL_CREATED, LABEL_INSTANCE, LABEL_SPEC, LABEL_STATE
from orchestrator.sandbox.ownership import Instance
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.slot import Slot
from orchestrator.sandbox.spec import SandboxSpec

LABEL_VERSION = "1"


class SandboxMaker:
    """Callable from several threads. ``prepare_slot`` makes the host side of a sandbox's ``/vault``."""

    def __init__(self, engine: Engine, instance: Instance, prepare_slot: Callable[[SandboxSpec], Slot]) -> None:
        self._engine = engine
        self._instance = instance
        self._prepare_slot = prepare_slot
        self._lost: set[str] = set()  # containers that failed to start and then resisted removal

    def __call__(self, spec: SandboxSpec) -> Sandbox:
        """Raises EngineError, SandboxError or OperatorError, and has then left nothing behind."""
        labels = {
            LABEL: LABEL_VERSION,
            LABEL_INSTANCE: self._instance.id,
            LABEL_STATE: self._instance.state_id,
            LABEL_SPEC: spec.digest(),
            LABEL_CREATED: str(int(time.time())),
        }
        for name in list(self._lost):
            self._remove(name)
        slot = self._prepare_slot(spec)
        name = f"skill-{self._instance.id}-{secrets.token_hex(6)}"
        try:
            return Sandbox.start(self._engine, spec, name=name, labels=labels, slot=slot)
        except BaseException:
            self._remove(name)
            slot.remove()
            raise

    def _remove(self, name: str) -> None:
        """Remove what a failed start may have left; what resists is tried again at the next call and at the end."""
        try:
            self._engine.remove(name)
        except EngineError as error:
            self._lost.add(name)
            logger.warning("container {} of a failed start could not be removed yet: {}", name, error)
        else:
            self._lost.discard(name)
