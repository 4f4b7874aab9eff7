"""Remove what dead orchestrators left on the engine: by label, never a living sibling's, never another state dir's."""

from __future__ import annotations

from orchestrator.errors import EngineError
from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.sandbox.ownership import Instance


def sweep(engine: Engine, instance: Instance) -> list[str]:
    """Names of the containers removed. Raises ``EngineError`` when the engine fails."""
    removed: list[str] = []
    verdicts: dict[str, bool] = {instance.id: True}
    for row in engine.list({LABEL: "", LABEL_STATE: instance.state_id}):
        owner = row.labels.get(LABEL_INSTANCE, "")
        if owner not in verdicts:
            verdicts[owner] = instance.alive(owner)
        if not verdicts[owner]:
            engine.remove(row.id)
            removed.append(row.name)
    return removed


def owned(engine: Engine, instance_id: str) -> list[str]:
    """Ids of the containers that instance still has on the engine, less those that are on their way out."""
    rows = engine.list({LABEL: "", LABEL_INSTANCE: instance_id})
    return [row.id for row in rows if row.state != "removing"]


def remove_owned(engine: Engine, instance_id: str) -> int:
    """Remove all of them; how many there were. One that resists is left to the caller's next try."""
    found = owned(engine, instance_id)
    for container_id in found:
        try:
            engine.remove(container_id)
        except EngineError:
            continue
    return len(found)
