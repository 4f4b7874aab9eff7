"""Which engine to use, when nobody said: the default socket, a rootless one, then the one ``make engine`` started."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Final

from orchestrator.errors import EngineUnavailable
from orchestrator.sandbox.engine import NO_ACCESS
from orchestrator.settings import Settings

DEFAULT_SOCKET: Final = Path("/var/run/docker.sock")
_CONNECT_SECONDS: Final = 2.0


def _silence(path: Path) -> str:
    """Why no engine answers a ping there; "" if one does. HTTP/1.0, so that the answer ends with the connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_CONNECT_SECONDS)
        try:
            connection.connect(str(path))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
            return "" if connection.recv(64).startswith(b"HTTP/1.") else "something else answers"
        except OSError as error:
            return error.strerror or str(error)


def private_engine(state_dir: Path) -> Path | None:
    """The socket that scripts/engine.py recorded, whether or not it answers."""
    try:
        recorded = json.loads((state_dir / "engine.json").read_text())
        url = recorded["socket"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Path(url.removeprefix("unix://")) if isinstance(url, str) and url.startswith("unix://") else None


def candidates(settings: Settings) -> list[Path]:
    paths = [DEFAULT_SOCKET]
    if settings.runtime_dir is not None:
        paths.append(settings.runtime_dir / "docker.sock")
    private = private_engine(settings.state_dir)
    return [*paths, private] if private is not None else paths


def engine_url(settings: Settings) -> str:
    """``settings.docker_host``, or the first socket that answers; EngineUnavailable names all that were tried."""
    if settings.docker_host:
        return settings.docker_host
    tried = dict.fromkeys(candidates(settings), "")
    for path in tried:
        tried[path] = _silence(path)
        if not tried[path]:
            return f"unix://{path}"
    denied = any("Permission denied" in why for why in tried.values())
    listed = ", ".join(f"{path} ({why})" for path, why in tried.items())
    raise EngineUnavailable(f"no container engine answers; tried {listed}", hint=NO_ACCESS if denied else "")
