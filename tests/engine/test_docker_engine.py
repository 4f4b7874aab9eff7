"""``DockerEngine`` towards an engine that is stuck, and the connections it keeps."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import EngineUnavailable
from orchestrator.sandbox.docker_engine import DockerEngine

PATIENCE_SECONDS = 20.0  # how long a call that never ends is waited for
VERSION = b'{"ApiVersion": "1.41", "MinAPIVersion": "1.12"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(VERSION), VERSION)


class StuckEngine:
    """Answers ``GET /version``; takes every other request and never answers it."""

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.asked = threading.Event()  # something that is not answered
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            self._open.append(connection)
            request = connection.recv(65536)
            if b"/version " in request.partition(b"\r\n")[0]:
                connection.sendall(ANSWER)
            elif request:
                self.asked.set()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._open:
            connection.close()


@pytest.fixture
def stuck() -> Iterator[StuckEngine]:
    with tempfile.TemporaryDirectory(prefix="stuck-") as directory:  # a socket's path may have 107 bytes at most
        engine = StuckEngine(Path(directory) / "s")
        yield engine
        engine.close()


def test_attach_to_a_stuck_engine_ends_with_the_time_out(stuck: StuckEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.sandbox.docker_engine.CALL_TIMEOUT_SECONDS", 0.5)
    engine, raised, ended = DockerEngine(stuck.url), [], threading.Event()

    def attach() -> None:
        try:
            engine.attach("0" * 64).close()
        except EngineUnavailable as error:
            raised.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=attach)
    thread.start()
    by_itself = ended.wait(PATIENCE_SECONDS)
    assert stuck.asked.is_set()
    stuck._open[-1].shutdown(socket.SHUT_RDWR)  # so that the thread ends in any case
    thread.join()
    engine.close()
    assert by_itself
    assert "attach" in raised[0].message


def sockets() -> int:
    """Open sockets of this process."""
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            count += str(entry.readlink()).startswith("socket:")
        except OSError:  # the listing's own descriptor
            continue
    return count


@pytest.fixture
def engine(engine_url: str) -> Iterator[DockerEngine]:
    made = DockerEngine(engine_url)
    yield made
    made.close()


def in_thread(engine: DockerEngine) -> None:
    thread = threading.Thread(target=lambda: engine.inspect("no-such-container"))
    thread.start()
    thread.join()


def test_clients_of_ended_threads_are_closed(engine: DockerEngine) -> None:
    before = sockets()
    for _ in range(20):
        in_thread(engine)
    assert len(engine._clients) <= 2
    assert sockets() - before <= 2
    in_thread(engine)
    engine.inspect("no-such-container")  # this thread's client is not among the closed ones
    assert len(engine._clients) == 1
    in_thread(engine)
    assert len(engine._clients) == 2
    engine.inspect("no-such-container")


def test_few_idle_connections_however_many_containers(engine: DockerEngine) -> None:
    """Each container has URLs of its own, and a connection is kept by URL."""
    before = sockets()
    for number in range(20):
        assert engine.inspect(f"no-such-container-{os.getpid()}-{number}") is None
    assert sockets() - before <= 4


def test_close_closes_all(engine: DockerEngine) -> None:
    before = sockets()
    engine.inspect("no-such-container")
    in_thread(engine)
    engine.close()
    assert sockets() == before
