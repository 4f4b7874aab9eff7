"""``Endpoint``: GET /metrics over HTTP, for a Prometheus that scrapes.

Nobody is trusted who connects: at most ``_MOST`` at once (more are hung up on), each with ``_SECONDS`` for the whole
request and as many for the answer, and a request's head of at most ``_HEAD`` bytes. Bodies are not read. There is no
authentication: whoever reaches the port reads the figures, and nothing else.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from loguru import logger

from orchestrator import forks
from orchestrator.errors import SettingsError
from orchestrator.text import one_line

Answer = Callable[[str], tuple[str, bytes]]

_MOST: Final = 8
_SECONDS: Final = 5.0
_HEAD: Final = 16_384
_PAUSE: Final = 0.1


class Endpoint:
    """Serves ``answer(accept)`` (content type, body) from the moment it is made. A context manager, or ``close`` it.

    ``host`` and ``port`` are where it listens. Raises SettingsError where it cannot. Its threads are daemons: an
    endpoint that nobody closed holds up no exit.
    """

    def __init__(self, host: str, port: int, answer: Answer) -> None:
        try:
            self._server = _Server(host, port, answer)
        except (OSError, UnicodeError, OverflowError) as error:  # UnicodeError: no host name
            where, why = one_line(f"{host}:{port}", 200), getattr(error, "strerror", None) or str(error)
            raise SettingsError(
                f"metrics cannot be served on {where}: {one_line(why, 200)}",
                hint="set metrics_port to a free port (0: any), and metrics_host to an address of this machine",
            ) from error
        self.host, self.port = str(self._server.server_address[0]), self._server.server_port
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)
        self._thread.start()
        forks.watch(self)

    @property
    def serving(self) -> bool:
        """Whether it still is: not after ``close``, nor in a forked child."""
        return not self._server.closing.is_set()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/metrics"

    def _serve(self) -> None:
        while not self._server.closing.is_set():
            self._server.handle_request()  # until a connection, or until close() shuts the socket

    def close(self) -> None:
        """Hear nobody any more; idempotent. Answers under way may still be sent."""
        if self._server.closing.is_set():
            return
        self._server.closing.set()
        self._server.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread at once
        self._thread.join()
        self._server.server_close()

    def after_fork_in_child(self) -> None:
        """The port is the parent's. Its socket is closed here, not shut down, which would end the parent's too."""
        self._server.closing.set()
        self._server.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 4 * _MOST  # where the queue is full, the kernel drops clients who then wait for a second

    def __init__(self, host: str, port: int, answer: Answer) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, *_, address = found[0]
        where = str(address[0]), int(address[1])
        self.answer = answer
        self.closing = threading.Event()
        self._places = threading.BoundedSemaphore(_MOST)
        super().__init__(where, _Request)

    def server_bind(self) -> None:
        """Without asking the name service who we are, which HTTPServer does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "", int(self.server_address[1])

    def get_request(self) -> Any:
        try:
            return super().get_request()
        except OSError:  # no descriptors left, say: the connection stays where it is, so do not ask for it in a circle
            self.closing.wait(_PAUSE)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What went wrong with one connection is told in the log; the next is heard all the same."""
        logger.opt(exception=True).debug("metrics: a request failed")


class _Request(BaseHTTPRequestHandler):
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BytesIO(_head(self.connection))  # parsed only once it is whole
        self.connection.settimeout(_SECONDS)

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self._send(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"there is only /metrics\n")
            return
        self._send(HTTPStatus.OK, *self.server.answer(self.headers.get("Accept", "")))

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "skill-orchestrator"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what a client sends is not for the log."""


def _head(connection: socket.socket) -> bytes:
    """A request's head; b"" if it is too long, too slow or cut off."""
    head, deadline = b"", time.monotonic() + _SECONDS
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        left = deadline - time.monotonic()
        if left <= 0 or len(head) > _HEAD:
            return b""
        connection.settimeout(left)
        try:
            part = connection.recv(4096)
        except OSError:
            return b""
        if not part:
            return b""
        head += part
    return head
