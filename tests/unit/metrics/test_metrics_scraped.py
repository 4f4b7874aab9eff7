"""What a scrape gets: the catalogue's metrics and no others, in a format that parses, from sources that may fail."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from typing import Any

import pytest
from loguru import logger
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.errors import SettingsError
from orchestrator.metrics import CATALOGUE, OTHER
from orchestrator.metrics import catalogue as c
from orchestrator.metrics.endpoint import Endpoint
from orchestrator.metrics.scrape import MOST_BYTES, parsed, scrape
from orchestrator.pool.stats import PoolStats
from orchestrator.records import RecordsError
from tests.support.exposed import RAN, full, pool_stats

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_everything_in_the_catalogue_is_exposed_and_nothing_else() -> None:
    metrics = full()
    assert [each.metric for each in metrics.series()] == list(CATALOGUE)
    families = {family.name: family for family in text_string_to_metric_families(metrics.text())}
    assert set(families) == {metric.name.removesuffix("_total") for metric in CATALOGUE}
    for metric in CATALOGUE:
        family = families[metric.name.removesuffix("_total")]
        assert family.type == metric.kind
        assert family.documentation == metric.help
        labels = {frozenset(sample.labels) - {"le"} for sample in family.samples}
        assert labels <= {frozenset(metric.labels)}


def test_closed_labels_hold_their_values_and_no_others() -> None:
    for (name, labels), _ in samples(full().text()).items():
        for label, value in labels:
            if label in c.LABELS:
                assert value in c.LABELS[label], name


def test_a_histogram_is_cumulative() -> None:
    found = samples(full().text())
    name = "skill_orchestrator_run_stage_seconds"
    buckets = [
        value for (sample, labels), value in found.items() if sample == f"{name}_bucket" and ("stage", "run") in labels
    ]
    assert buckets == sorted(buckets)
    assert len(buckets) == len(c.SECONDS) + 1
    assert buckets[-1] == found[f"{name}_count", (("stage", "run"),)] == 1
    assert found[f"{name}_sum", (("stage", "run"),)] == RAN.timings.run


def test_the_pool_by_level_and_in_all() -> None:
    found = samples(full().text())
    by_level = {level: found["skill_orchestrator_pool_warm_target", (("level", level),)] for level in c.LEVELS}
    assert by_level == {"strict": 10, "standard": 20 + 30, "relaxed": 0, OTHER: 40}
    stats = pool_stats()
    assert found["skill_orchestrator_pool_created_total", ()] == stats.created_total
    assert found["skill_orchestrator_pool_leases_total", (("start", "warm"),)] == stats.leases_warm_total
    assert found["skill_orchestrator_pool_refused_total", (("reason", "timeout"),)] == stats.timeouts_total
    assert found["skill_orchestrator_pool_degraded", ()] == 1
    assert found["skill_orchestrator_validations_total", (("answer", "kept"),)] == 3


def test_every_total_of_the_pool_is_told() -> None:
    """``wait_seconds_max`` and ``leases_total`` follow from the others or are of no use as a counter."""
    told = {field.name: getattr(pool_stats(), field.name) for field in fields(PoolStats) if "_total" in field.name}
    values = set(samples(full().text()).values())
    assert {name for name, value in told.items() if value not in values} == {"leases_total"}


def test_a_source_that_fails_is_left_out_and_logged() -> None:
    metrics = full()

    def broken() -> int:
        raise RecordsError("the records {0.__class__} are locked")

    metrics._sources.insert(0, lambda: [broken()])  # type: ignore[list-item]
    lines: list[str] = []
    handler = logger.add(lines.append, format="{message}")
    try:
        assert len(metrics.series()) == len(CATALOGUE)
    finally:
        logger.remove(handler)
    assert "the records {0.__class__} are locked" in lines[0]


def test_the_global_registry_is_left_alone_and_another_can_be_used() -> None:
    before = {family.name for family in REGISTRY.collect()}
    metrics = full()
    metrics.registry()
    assert {family.name for family in REGISTRY.collect()} == before
    theirs = CollectorRegistry()
    theirs.register(metrics.collector())  # type: ignore[arg-type]
    assert theirs.get_sample_value("skill_orchestrator_reviews_pending") == 3


# The endpoint


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with full().serve("127.0.0.1", 0) as endpoint:
        yield endpoint


def talk(endpoint: Endpoint, request: bytes) -> bytes:
    with socket.create_connection((endpoint.host, endpoint.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return answer


def test_it_is_scraped(endpoint: Endpoint) -> None:
    assert samples(scrape(endpoint.url)) == samples(full().text())
    head, _, body = talk(endpoint, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").partition(b"\r\n\r\n")
    assert b"200 OK" in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Python" not in head


def test_open_metrics_is_spoken_where_asked_for(endpoint: Endpoint) -> None:
    request = b"GET /metrics?x=1 HTTP/1.1\r\nAccept: application/openmetrics-text; version=1.0.0\r\n\r\n"
    body = talk(endpoint, request).partition(b"\r\n\r\n")[2].decode()
    assert len(list(parse_open_metrics(body))) == len(CATALOGUE)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b" 404 "),
        (b"GET /metrics/../etc/passwd HTTP/1.1\r\n\r\n", b" 404 "),
        (b"GET http://127.0.0.1/metrics HTTP/1.1\r\n\r\n", b" 404 "),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", b" 501 "),
        (b"\x1b[2J \xff\xfe HTTP/9.9\r\n\r\n", b"Error response"),
        (b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b" 431 "),
        (b"GET /" + b"x" * 40_000, b""),
        (b"GET /metrics HTTP/1.1\r\nA: " + b"x" * 40_000 + b"\r\n\r\n", b""),
        (b"A: b\r\n" * 10_000, b""),
        (b"", b""),
    ],
    ids=ascii,
)
def test_other_requests_are_refused_and_the_next_is_heard(endpoint: Endpoint, request_: bytes, says: bytes) -> None:
    try:
        with socket.create_connection((endpoint.host, endpoint.port), timeout=10) as connection:
            connection.sendall(request_)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65_536)
    except OSError as error:  # it was hung up on in the middle of a head that is too long
        if not isinstance(error, ConnectionError) and error.errno != errno.ENOTCONN:
            raise
        answer = b""
    assert says in answer
    assert (says == b"") == (answer == b"")
    assert b"\x1b" not in answer
    assert scrape(endpoint.url)


def test_clients_are_bounded_in_number_and_in_time(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight clients that say nothing take every place; a ninth is hung up on; once their time is up, all is well."""
    monkeypatch.setattr("orchestrator.metrics.endpoint._SECONDS", 1.0)
    idle = [socket.create_connection((endpoint.host, endpoint.port), timeout=10) for _ in range(8)]
    try:
        assert not _scraped(endpoint)
        for each in idle:
            each.sendall(b"GET /metrics HTTP/1.1\r\nA: ")  # never finished
            assert each.recv(1) == b""
    finally:
        for each in idle:
            each.close()
    assert any(_scraped(endpoint) for _ in range(100))  # a place is free a moment after its connection ended


def _scraped(endpoint: Endpoint) -> bool:
    try:
        return bool(scrape(endpoint.url))
    except SettingsError:
        return False


def test_closing_frees_the_port_and_ends_the_thread() -> None:
    endpoint = full().serve("127.0.0.1", 0)
    assert endpoint.serving
    endpoint.close()
    assert not endpoint.serving
    endpoint.close()
    assert not endpoint._thread.is_alive()
    with pytest.raises(SettingsError, match="refused"):
        scrape(endpoint.url)
    full().serve("127.0.0.1", endpoint.port).close()


def test_a_port_in_use_is_told_with_a_hint(endpoint: Endpoint) -> None:
    with pytest.raises(SettingsError, match=f"127.0.0.1:{endpoint.port}: Address already in use") as caught:
        full().serve("127.0.0.1", endpoint.port)
    assert "metrics_port" in caught.value.hint


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "\x1b[2J", "x" * 300, "a..b"])
def test_an_address_of_nobody_is_told(host: str) -> None:
    with pytest.raises(SettingsError) as caught:
        full().serve(host, 0).close()
    assert "\x1b" not in str(caught.value)
    assert "metrics_host" in caught.value.hint


def test_ipv6(tmp_path: Any) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with full().serve("::1", 0) as endpoint:
        assert endpoint.url.startswith("http://[::1]:")
        assert scrape(endpoint.url)


def test_nobody_who_forgets_to_close_hangs_at_exit() -> None:
    code = "from orchestrator.metrics import Metrics; e = Metrics().serve('127.0.0.1', 0); print(e.port)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert int(done.stdout) > 0
    assert done.stderr == ""


def test_a_forked_child_gives_the_port_up(endpoint: Endpoint) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0 if endpoint._server.socket.fileno() == -1 and not endpoint.serving else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert endpoint.serving
    assert scrape(endpoint.url)


# Reading an endpoint


def serving(answer: bytes) -> tuple[str, threading.Thread]:
    listening = socket.create_server(("127.0.0.1", 0))

    def once() -> None:
        with closing(listening), listening.accept()[0] as connection:
            connection.recv(65_536)
            try:
                connection.sendall(answer)
            except OSError:
                return  # it has read enough

    thread = threading.Thread(target=once)
    thread.start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/metrics", thread


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
        b"HTTP/1.1 500 No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MOST_BYTES + 100_000),
        b"\x1b[2J" * 100,
        b"",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10_000,
    ],
    ids=["redirect", "error", "utf-8", "endless", "no http", "nothing", "headers"],
)
def test_what_is_no_good_answer_is_an_error(answer: bytes) -> None:
    url, thread = serving(answer)
    with pytest.raises(SettingsError) as caught:
        scrape(url)
    thread.join()
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "file:///etc/passwd", "x", "", "http://", "http://a:99999/", "http://u@h/"]
)
def test_only_http_is_read(url: str) -> None:
    with pytest.raises(SettingsError, match="http"):
        scrape(url)


@pytest.mark.parametrize("text", ["<html>", 'a{b="', "a x", "# TYPE a b\na 1 2 3 4\n", "{}\n" * 100])
def test_what_is_no_exposition_is_an_error(text: str) -> None:
    with pytest.raises(SettingsError, match="text format"):
        parsed(text)
