"""The channels against real servers, real processes, and apprise itself."""

from __future__ import annotations

import http.server
import importlib.util
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator import Settings, SettingsError
from orchestrator.alerts import Alerts
from orchestrator.alerts.alerts import channels_of
from orchestrator.alerts.channels import Apprise, ChannelFault, Command, Webhook
from orchestrator.alerts.model import Alert, Notice, document
from orchestrator.outputs.secrets import Detector

OF_OTHERS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ImportWarning")  # apprise's imports
PATIENCE = 30.0
TOLD = document(Notice(Alert("test", "this is a test", skill="a@1.0.0", at=0.0)), Detector())


class Server(http.server.BaseHTTPRequestHandler):
    """Answers each POST with the status that its path names."""

    got: list[tuple[str, dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, dict(self.headers), body))
        self.send_response(int(self.path.strip("/").split("?")[0]))
        self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client that leaves."""


@contextmanager
def served(tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    handler = type("Handler", (Server,), {"got": []})
    with Quiet(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", handler.got  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


# --- the webhook


def test_a_webhook_gets_the_document_as_json() -> None:
    with served() as (url, got):
        Webhook(f"{url}/204?a=b").send(TOLD)
    ((path, headers, body),) = got
    assert path == "/204?a=b"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == TOLD


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 404, 500])
def test_only_2xx_counts_and_redirects_are_not_followed(status: int) -> None:
    with served() as (url, got):
        with pytest.raises(ChannelFault, match=f"it answered {status}"):
            Webhook(f"{url}/{status}").send(TOLD)
        assert [path for path, _, _ in got] == [f"/{status}"]


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with served() as (url, got):
        Webhook(f"{url}/200").send(TOLD)
    assert len(got) == 1


@contextmanager
def dripping() -> Iterator[str]:
    """Accepts, and then sends a header line without end, a byte at a time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                    while not stop.wait(0.02):
                        connection.sendall(b"x")
                except OSError:
                    pass

        stop = threading.Event()
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/secret-token"
        finally:
            stop.set()
            thread.join()


def test_a_server_that_drips_is_left_within_the_bound() -> None:
    with dripping() as url, pytest.raises(ChannelFault) as caught:
        Webhook(url, seconds=0.3).send(TOLD)
    assert "secret-token" not in str(caught.value)


def test_a_server_that_is_not_there_is_a_fault_without_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ChannelFault, match="cannot be reached") as caught:
        Webhook(f"http://127.0.0.1:{port}/secret-token").send(TOLD)
    assert "secret-token" not in str(caught.value)
    with pytest.raises(ChannelFault, match="cannot be reached"), served() as (url, _):
        Webhook(url.replace("http:", "https:")).send(TOLD)  # it speaks no TLS


@contextmanager
def one_that_hangs() -> Iterator[tuple[str, int]]:
    """Its queue of connections is full: whoever connects waits."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(listener.getsockname())
            yield listener.getsockname()
        finally:
            for each in waiting:
                each.close()


def test_the_bound_is_for_all_addresses_of_a_name_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting to the first takes all the time; a second one, which would drip, has none left."""
    with one_that_hangs() as hangs, dripping() as drips:
        address = ("127.0.0.1", int(drips.split(":")[2].split("/")[0]))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in (hangs, address)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)
        with pytest.raises(ChannelFault, match=r"did not answer within 0\.3 s"):
            Webhook("http://two.example/", seconds=0.3).send(TOLD)
        with socket.socket() as last:
            last.connect(address)  # so that it ends


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with served() as (url, got):
        good = ("127.0.0.1", int(url.split(":")[2]))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            closed = listener.getsockname()
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in (closed, good)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)
        Webhook("http://two.example/200").send(TOLD)
        assert len(got) == 1
        assert got[0][1]["Host"] == "two.example"


def test_the_bound_is_for_looking_up_the_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: answers.wait(60) and [])
    with pytest.raises(ChannelFault, match=r"did not answer within 0\.1 s"):
        Webhook("http://slow.example/", seconds=0.1).send(TOLD)
    answers.set()


def test_a_handshake_that_does_not_come_is_left_within_the_bound() -> None:
    late = pytest.raises(ChannelFault, match=r"did not answer within 0\.1 s")
    with socket.create_server(("127.0.0.1", 0)) as silent, late:
        Webhook(f"https://127.0.0.1:{silent.getsockname()[1]}/", seconds=0.1).send(TOLD)


def test_over_tls_the_name_must_be_the_servers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with served(context) as (url, got):
        named = url.replace("http://127.0.0.1", "https://localhost") + "/200"
        with pytest.raises(ChannelFault, match="cannot be reached"):
            Webhook(named).send(TOLD)  # nobody vouches for it
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        Webhook(named).send(TOLD)
        with pytest.raises(ChannelFault, match="cannot be reached"):
            Webhook(named.replace("localhost", "127.0.0.1")).send(TOLD)
        assert [path for path, _, _ in got] == ["/200"]


def test_closing_ends_a_webhook_that_hangs(logged: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        alerts = Alerts([Webhook(f"http://127.0.0.1:{silent.getsockname()[1]}/secret-token", seconds=600)])
        alerts.send(Alert("test", "x"))
        connection, _ = silent.accept()
        with connection:
            alerts.close(0.0)
            connection.settimeout(PATIENCE)
            while connection.recv(65536):  # until it is left
                pass
    text = "".join(logged)
    assert "1 alerts were not sent" in text
    assert "by webhook: it was ended: this closes" in text


# --- the command


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def test_a_command_gets_the_document_on_its_input_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "$(touch x); out"
    Command([*python("import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"), str(out)]).send(TOLD)
    assert json.loads(out.read_text()) == TOLD
    assert sorted(tmp_path.iterdir()) == [out]


def test_what_a_command_prints_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    Command(python("import sys; print('out'); print('err', file=sys.stderr)")).send(TOLD)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/nowhere/at/all"], "cannot be started"),
        (python("raise SystemExit(3)"), "ended with 3"),
        (python("import os; os.kill(os.getpid(), 9)"), "ended with -9"),
    ],
)
def test_a_command_that_fails_is_a_fault(arguments: list[str], words: str) -> None:
    with pytest.raises(ChannelFault, match=words):
        Command(arguments).send(TOLD)


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, sys, time\n"
        "child = os.fork()\n"
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}} ')\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(ChannelFault, match="did not end"):
        Command(python(code), seconds=1.0).send(TOLD)
    for pid in pids.read_text().split():
        state = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False).stdout
        assert state.strip()[:1] in ("", "Z")  # an orphan is a zombie until whoever adopts it looks


@pytest.mark.parametrize("does", ["time.sleep(600)", "print('x' * 10000)"])
def test_closing_ends_a_command_that_hangs_with_its_children(tmp_path: Path, logged: list[str], does: str) -> None:
    """They hold a pipe open: its end is theirs."""
    os.mkfifo(fifo := tmp_path / "fifo")
    code = f"import os, time\nos.fork()\npipe = open({str(fifo)!r}, 'w', 1)\npipe.write('here\\n')\n"
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        alerts = Alerts([Command(python(f"{code}while True:\n    {does}\n"), seconds=600)])
        alerts.send(Alert("test", "x"))
        assert read(reading, len("here\n") * 2) == b"here\nhere\n"
        alerts.close(0.0)
        assert read(reading, 1) == b""
    finally:
        os.close(reading)
    text = "".join(logged)
    assert "1 alerts were not sent" in text
    assert "by command: it was ended: this closes" in text


def read(descriptor: int, most: int) -> bytes:
    """``most`` bytes of a FIFO; less where all who write to it are gone."""
    found = b""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(found) < most:
        assert poll.poll(PATIENCE * 1000), "nobody writes, nor ends"
        if not (more := os.read(descriptor, most - len(found))):
            break
        found += more
    return found


def test_a_command_that_was_stopped_before_it_began_does_not(tmp_path: Path) -> None:
    command = Command(["/bin/sh", "-c", f"touch {tmp_path}/ran"])
    command.stop()
    with pytest.raises(ChannelFault, match="not started"):
        command.send(TOLD)
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_does_not_read_is_no_trouble() -> None:
    Command(python("import os; os.close(0)")).send({**TOLD, "message": "x" * 10})


# --- apprise


@pytest.fixture
def apprise_installed() -> None:
    if importlib.util.find_spec("apprise") is None:
        pytest.skip("the extra `alerts` is not installed: pip install -e '.[alerts]'")


@OF_OTHERS
@pytest.mark.usefixtures("apprise_installed")
def test_apprise_sends_to_its_services() -> None:
    with served() as (url, got):
        Apprise([url.replace("http:", "json:") + "/200"]).send(TOLD)
    ((_, _, body),) = got
    told = json.loads(body)
    assert told["title"] == "skill-orchestrator: test a@1.0.0"
    assert "message: this is a test" in told["message"]


@OF_OTHERS
@pytest.mark.usefixtures("apprise_installed")
@pytest.mark.parametrize("path", ["/500", None])
def test_a_service_that_does_not_take_it_is_a_fault(path: str | None) -> None:
    with served() as (url, _), pytest.raises(ChannelFault) as caught:
        Apprise([url.replace("http:", "json:") + path if path else "no-such-service://secret-token"]).send(TOLD)
    assert "secret-token" not in str(caught.value)


def test_apprise_is_not_loaded_before_it_is_needed() -> None:
    code = (
        "import sys; from orchestrator.alerts import Alerts; from orchestrator import Settings\n"
        "Alerts.of(Settings(alert_webhook='http://localhost/'))\n"
        "print('apprise' in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "False\n"


def test_without_the_extra_the_setting_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match="not installed"):
        channels_of(Settings(alert_apprise=("json://localhost",)), None)


# --- the settings


def test_channels_are_those_of_the_settings() -> None:
    settings = Settings(alert_webhook="https://h.example/x", alert_command=("/bin/true",))
    assert [channel.name for channel in channels_of(settings, None)] == ["webhook", "command"]
    assert channels_of(Settings(), None) == []
    with pytest.raises(SettingsError, match="no vault"):
        channels_of(Settings(alert_note="Alerts"), None)


@pytest.mark.parametrize(
    "change",
    [
        {"alert_webhook": "ftp://h.example/"}, {"alert_webhook": "file:///etc/passwd"}, {"alert_webhook": "https://"},
        {"alert_webhook": "https://anna:secret@h.example/"}, {"alert_webhook": "http://h.example/a b"},
        {"alert_webhook": "http://h.example:99999/"}, {"alert_webhook": "http://h.example/\r\nX: y"},
        {"alert_command": ("",)}, {"alert_command": ("a\0b",)}, {"alert_note": "../x"}, {"alert_note": ".obsidian"},
        {"alert_interval_seconds": -1}, {"alert_per_hour": 0},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**change)
    assert "secret" not in str(caught.value)
