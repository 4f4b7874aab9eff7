"""Does an overlay volume work on this engine? Asked once by really mounting one, then remembered.

The answer depends on the engine (rootful or not), the kernel and the file systems involved, so no table knows it. A
container is created and its mount set up by starting it; nothing but the supervisor's start is run.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from loguru import logger

from orchestrator.errors import EngineError, EngineUnavailable
from orchestrator.sandbox.engine import Engine, EngineInfo
from orchestrator.sandbox.slot import Slot

_FILE: Final = "overlay.json"


def overlay_works(
    engine: Engine, info: EngineInfo, state_dir: Path, image_id: str, *, slot: Callable[[], Slot]
) -> bool:
    """True when a container with an overlay ``/vault`` starts. Raises EngineUnavailable when the engine goes away."""
    trial = slot()
    try:
        key = _key(info, trial)
        remembered = _recall(state_dir / _FILE, key)
        if remembered is not None:
            return remembered
        works = _try(engine, image_id, trial)
        (state_dir / _FILE).write_text(json.dumps({"key": key, "works": works}))
        return works
    finally:
        trial.remove()


def _key(info: EngineInfo, slot: Slot) -> str:
    lower = str(slot.mounts[0]["VolumeOptions"]["DriverConfig"]["Options"]["o"]).split("upperdir=")[0]
    facts = [info.version, info.kernel, info.storage_driver, *info.security_options, lower]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


def _recall(file: Path, key: str) -> bool | None:
    try:
        document = json.loads(file.read_text())
        return bool(document["works"]) if document["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _try(engine: Engine, image_id: str, slot: Slot) -> bool:
    options = {
        "Image": image_id,
        "NetworkDisabled": True,
        "OpenStdin": False,
        "HostConfig": {"NetworkMode": "none", "CapDrop": ["ALL"], "AutoRemove": True, "Mounts": list(slot.mounts)},
    }
    container_id = engine.create(f"skill-trial-{secrets.token_hex(6)}", options)
    try:
        engine.start(container_id)
    except EngineUnavailable:
        raise
    except EngineError as error:
        logger.info("no overlay volumes on this engine, so vaults are copied: {}", error)
        return False
    finally:
        engine.remove(container_id)
    return True
