"""Reading the endpoint of a running orchestrator: over plain HTTP, without proxies and redirects, with caps."""

from __future__ import annotations

import http.client
import time
from typing import Any, Final
from urllib.parse import urlsplit

from orchestrator.errors import SettingsError
from orchestrator.text import one_line

SECONDS: Final = 5.0
MOST_BYTES: Final = 8_000_000

_HINT: Final = (
    "is an orchestrator running there, with metrics_port set? The address is like http://127.0.0.1:9464/metrics"
)


def scrape(url: str) -> str:
    """The text that ``url`` answers with. Untrusted: escape it before showing. Raises SettingsError."""
    try:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.username is not None:
            raise SettingsError(f"{one_line(url, 200)} is no http address", hint=_HINT)
        body = _body(parts.hostname, parts.port or 80, parts.path or "/metrics")
        return body.decode()
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = one_line(str(error) or type(error).__name__, 200)
        raise SettingsError(f"{one_line(url, 200)} cannot be read: {why}", hint=_HINT) from error


def _body(host: str, port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    deadline, body = time.monotonic() + SECONDS, bytearray()
    try:
        connection.request("GET", path, headers={"Accept": "text/plain; version=0.0.4"})
        with connection.getresponse() as response:
            if response.status != http.HTTPStatus.OK:
                raise ValueError(f"it answers {response.status}")
            while part := response.read1(65_536):
                body += part
                if len(body) > MOST_BYTES or time.monotonic() > deadline:
                    raise ValueError(f"the answer is longer than {MOST_BYTES} bytes or {SECONDS:g} s")
    finally:
        connection.close()
    return bytes(body)


def parsed(text: str) -> list[dict[str, Any]]:
    """The metrics in a text, as JSON values. Raises SettingsError for what is no such text."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - takes long to import

    try:
        families = list(text_string_to_metric_families(text))
        return [
            {
                "name": family.name,
                "type": family.type,
                "help": family.documentation,
                "samples": [
                    {"name": sample.name, "labels": dict(sample.labels), "value": _number(sample.value)}
                    for sample in family.samples
                ],
            }
            for family in families
        ]
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError("what it answers is not in Prometheus's text format", hint=_HINT) from error


def _number(value: float) -> float | str:
    """JSON has no infinity."""
    return value if abs(value) < float("inf") else str(value)
