"""A docker-py client that writes down every HTTP request it sends: what the suite really asked of the engine."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import docker


@dataclass(frozen=True)
class RecordedCall:
    method: str
    path: str


_calls: list[RecordedCall] = []
_lock = threading.Lock()


def recorded_calls() -> list[RecordedCall]:
    with _lock:
        return list(_calls)


class RecordingClient(docker.APIClient):
    def send(self, request: Any, **options: Any) -> Any:
        with _lock:
            _calls.append(RecordedCall(str(request.method), str(request.path_url)))
        return super().send(request, **options)
