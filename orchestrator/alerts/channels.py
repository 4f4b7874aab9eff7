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
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from orchestrator.alerts.bounded import BoundedConnection
from orchestrator.alerts.model import title
from orchestrator.errors import SettingsError

SEND_SECONDS: Final = 10.0  # for one alert, in all


class ChannelFault(Exception):  # noqa: N818 - says what went wrong, like errors.Problem
    """An alert that did not get through."""


class Channel(Protocol):
    name: str

    def send(self, told: Mapping[str, Any]) -> None:
        """Raises ``ChannelFault``."""

    def stop(self) -> None:
        """From another thread, once: ``send`` ends soon, and so does whatever it began. Neither waits nor raises."""


class Webhook:
    """POSTs the document as JSON. Whatever does not answer with 2xx has failed; redirects are not followed, and no
    proxy of the environment is used. Where the address leads is the operator's choice."""

    name = "webhook"

    def __init__(self, url: str, *, seconds: float = SEND_SECONDS) -> None:
        self._url, self._seconds = urlsplit(url), seconds
        self._under_way: BoundedConnection | None = None
        self._stopped = False

    def send(self, told: Mapping[str, Any]) -> None:
        url = self._url
        connection = BoundedConnection(url.hostname or "", url.port, tls=url.scheme == "https", seconds=self._seconds)
        self._under_way = connection
        if self._stopped:  # in between
            connection.end()
        try:
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            headers = {"Content-Type": "application/json", "User-Agent": "skill-orchestrator", "Connection": "close"}
            connection.request("POST", target, json.dumps(told).encode(), headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException, ValueError) as error:
            fault = self._late() if connection.over else f"it cannot be reached: {_words(error)}"
            raise ChannelFault(fault) from None
        finally:
            connection.close()
        if connection.cut:  # what was read up to there may look like an answer
            raise ChannelFault(self._late())
        if not 200 <= status < 300:
            raise ChannelFault(f"it answered {status}" + ("; redirects are not followed" if status < 400 else ""))

    def _late(self) -> str:
        return "it was ended: this closes" if self._stopped else f"it did not answer within {self._seconds:g} s"

    def stop(self) -> None:
        self._stopped = True
        if (connection := self._under_way) is not None:
            connection.end()


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


class Command:
    """Runs a program with the document as JSON on its standard input: no shell, and what it prints is dropped. It ends
    with the bound, or with this process's ``Alerts``, its children with it."""

    name = "command"

    def __init__(self, arguments: Sequence[str], *, seconds: float = SEND_SECONDS) -> None:
        self._arguments, self._seconds = list(arguments), seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def send(self, told: Mapping[str, Any]) -> None:
        process = self._started()
        try:
            process.communicate(json.dumps(told).encode() + b"\n", timeout=self._seconds)
        except subprocess.TimeoutExpired:
            self._kill()
            process.wait()
            raise ChannelFault(f"it did not end within {self._seconds:g} s") from None
        finally:
            with self._lock:
                self._process = None
        if process.returncode != 0:
            killed = "it was ended: this closes" if self._stopped else f"it ended with {process.returncode}"
            raise ChannelFault(killed)

    def _started(self) -> subprocess.Popen[bytes]:
        with self._lock:  # a stop comes before it, or ends it
            if self._stopped:
                raise ChannelFault("it was not started: this closes")
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the operator's own program, and no text of a skill among its arguments
                    self._arguments,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    start_new_session=True,  # a Ctrl-C at the terminal is not for it; and it ends with its children
                )
            except (OSError, ValueError) as error:
                raise ChannelFault(f"it cannot be started: {_words(error)}") from None
            return self._process

    def stop(self) -> None:
        self._stopped = True
        self._kill()

    def _kill(self) -> None:
        with self._lock:
            if (process := self._process) is not None and process.returncode is None:  # else the number is another's
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)


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

    def stop(self) -> None:
        """Its threads end with the process."""
