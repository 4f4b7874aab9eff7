"""``BoundedConnection``: one HTTP exchange that is over after so many seconds, whatever it waits for.

A socket's time-out is for one operation: each address of a name has its own, and it begins anew with every byte. So
looking the name up, connecting and the handshake get what is left of the whole, and a timer cuts what comes after.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any, Final

_Address = tuple[Any, ...]
_LOOK_UP: Final = "the name was not found in time"


class BoundedConnection(http.client.HTTPConnection):
    """For one request; its bound begins when it is made. Everything raises ``OSError`` or ``http.client``'s errors."""

    def __init__(self, host: str, port: int | None, *, tls: bool, seconds: float) -> None:
        super().__init__(host, port or (443 if tls else 80), timeout=seconds)
        if tls:
            self.default_port = http.client.HTTPS_PORT  # which the header `Host` leaves out
        self._tls, self._deadline = tls, time.monotonic() + seconds
        self._lock = threading.Lock()
        self.cut = False  # whether ``end`` came: what was read may be half an answer
        self._timer = threading.Timer(seconds, self.end)
        self._timer.daemon = True
        self._timer.start()

    def connect(self) -> None:
        failed: OSError = TimeoutError(_LOOK_UP)
        for family, address in self._addresses():
            try:
                self._take(socket.socket(family, socket.SOCK_STREAM))
                self.sock.connect(address)
                if self._tls:
                    self._handshake()
            except OSError as error:
                failed = error
                continue
            return
        raise failed

    def _handshake(self) -> None:
        context = ssl.create_default_context()
        wrapped = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        self._take(wrapped)
        wrapped.do_handshake()

    def _take(self, sock: Any) -> None:
        """What ``end`` ends from now on; its operations have what is left of the time."""
        with self._lock:
            before, self.sock = self.sock, sock
            if before is not None and before.fileno() != -1:
                before.close()
            left = self._deadline - time.monotonic()
            if self.cut or left <= 0:
                raise TimeoutError("the time is up")
            sock.settimeout(left)

    def _addresses(self) -> list[tuple[socket.AddressFamily, _Address]]:
        """Looked up in a thread: the resolver has bounds of its own, which may be minutes."""
        found: list[tuple[socket.AddressFamily, _Address]] = []
        failed: list[OSError] = []

        def look_up() -> None:
            try:
                for family, _, _, _, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
                    found.append((family, address))
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=look_up, name="alerts-look-up", daemon=True)
        thread.start()
        thread.join(max(0.0, self._deadline - time.monotonic()))
        if failed:
            raise failed[0]
        return list(found)

    def end(self) -> None:
        """Now. What is under way in another thread fails."""
        with self._lock:
            self.cut = True
            if self.sock is not None:
                with suppress(OSError):
                    socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # past TLS, which another thread is in

    @property
    def over(self) -> bool:
        """Whether its time is up, or ``end`` came."""
        return self.cut or time.monotonic() >= self._deadline

    def close(self) -> None:
        self._timer.cancel()
        super().close()
