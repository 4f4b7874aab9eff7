"""Ways to tell the operator: a web address, a program, apprise's services. A note in the vault is in ``note.py``.

Each takes the same document (``model.document``), is called in a thread of its own, and ends within a bound. What goes
wrong is a ``ChannelFault`` whose words hold no address: addresses of such services are secrets themselves.
"""

from __future__ import annotations

import http.client
import importlib
import importlib.util
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from orchestrator.alerts.model import title
from orchestrator.errors import SettingsError

SEND_SECONDS: Final = 10.0  # for one alert, in all


class ChannelFault(Exception):  # noqa: N818 - says what went wrong, like errors.Problem
    """An alert that did not get through."""


class Channel(Protocol):
    name: str

    def send(self, told: Mapping[str, Any]) -> None:
        """Raises ``ChannelFault``."""


class Webhook:
    """POSTs the document as JSON. Whatever does not answer with 2xx has failed; redirects are not followed, and no
    proxy of the environment is used. Where the address leads is the operator's choice."""

    name = "webhook"

    def __init__(self, url: str, *, seconds: float = SEND_SECONDS) -> None:
        self._url, self._seconds = urlsplit(url), seconds

    def send(self, told: Mapping[str, Any]) -> None:
        connection, late = self._connection(), threading.Event()
        ends = threading.Timer(self._seconds, _cut, [connection, late])  # sockets' time-outs begin anew with every byte
        ends.daemon = True
        ends.start()
        try:
            target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
            headers = {"Content-Type": "application/json", "User-Agent": "skill-orchestrator", "Connection": "close"}
            connection.request("POST", target, json.dumps(told).encode(), headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ChannelFault(f"it cannot be reached: {_words(error)}") from None
        finally:
            ends.cancel()
            connection.close()
        if late.is_set():
            raise ChannelFault(f"it did not answer within {self._seconds:g} s")
        if not 200 <= status < 300:
            raise ChannelFault(f"it answered {status}" + ("; redirects are not followed" if status < 400 else ""))

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=self._seconds, context=context)
        return http.client.HTTPConnection(host, port, timeout=self._seconds)


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    if (sock := connection.sock) is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


class Command:
    """Runs a program with the document as JSON on its standard input: no shell, and what it prints is dropped."""

    name = "command"

    def __init__(self, arguments: Sequence[str], *, seconds: float = SEND_SECONDS) -> None:
        self._arguments, self._seconds = list(arguments), seconds

    def send(self, told: Mapping[str, Any]) -> None:
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own program, and no text of a skill among its arguments
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,  # a Ctrl-C at the terminal is not for it; and it ends with its children
            )
        except (OSError, ValueError) as error:
            raise ChannelFault(f"it cannot be started: {_words(error)}") from None
        try:
            process.communicate(json.dumps(told).encode() + b"\n", timeout=self._seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # not waited for yet, so the number is still its own
            process.wait()
            raise ChannelFault(f"it did not end within {self._seconds:g} s") from None
        if process.returncode != 0:
            raise ChannelFault(f"it ended with {process.returncode}")


class Apprise:
    """The services that apprise knows, by its URLs. Imported when the first alert is sent."""

    name = "apprise"

    def __init__(self, urls: Sequence[str]) -> None:
        """Raises SettingsError where apprise is not installed."""
        if importlib.util.find_spec("apprise") is None:
            raise SettingsError(
                "alert_apprise is set and apprise is not installed",
                hint="install the extra: pip install 'skill-orchestrator[alerts]'",
            )
        self._urls = list(urls)

    def send(self, told: Mapping[str, Any]) -> None:
        body = "\n".join(f"{name}: {value}" for name, value in told.items() if value not in ("", 0))
        try:
            apprise = importlib.import_module("apprise")  # takes half a second: not before somebody needs it
            services = apprise.Apprise()
            refused = sum(not services.add(url) for url in self._urls)
            sent = services.notify(title=title(dict(told)), body=body, body_format="text")
        except Exception as error:  # noqa: BLE001 - a hundred plugins of others; told, and never the run's trouble
            raise ChannelFault(f"apprise failed: {type(error).__name__}") from None
        if refused or not sent:
            raise ChannelFault(f"{refused} of its URLs are not usable" if refused else "a service did not take it")
