"""What every ``Engine`` must do, as plain functions ``check_...(engine, make_options)`` that raise ``AssertionError``.

``make_options(labels)`` returns options for ``Engine.create``: a sandbox of ours (``orchestrator.sandbox.options``)
with ``AutoRemove`` and at least these labels. Each check makes its own containers and removes them, whatever happens.
``CHECKS`` lists them all: parametrise over it to try an engine of your own.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import EngineError
from orchestrator.sandbox.engine import ContainerRow, Engine
from orchestrator.sandbox.stream import Stream, StreamEnded
from orchestrator.sandbox.wire import FrameType

MakeOptions = Callable[[Mapping[str, str]], Mapping[str, Any]]
Check = Callable[[Engine, MakeOptions], None]

LABEL = "io.skill-orchestrator.conformance"
UNKNOWN = "0" * 64
PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Made:
    id: str
    name: str
    label: str  # value of LABEL, this container's alone


@contextmanager
def _container(engine: Engine, make_options: MakeOptions) -> Iterator[Made]:
    token = secrets.token_hex(8)
    name = f"conformance-{token}"
    made = Made(engine.create(name, make_options({LABEL: token, f"{LABEL}.second": "2"})), name, token)
    try:
        yield made
    finally:
        engine.remove(made.id)


@contextmanager
def _stream(engine: Engine, made: Made) -> Iterator[Stream]:
    stream = Stream(engine.attach(made.id))
    try:
        yield stream
    finally:
        stream.close()


@contextmanager
def _running(engine: Engine, make_options: MakeOptions) -> Iterator[tuple[Made, Stream]]:
    with _container(engine, make_options) as made, _stream(engine, made) as stream:
        engine.start(made.id)
        frame = stream.receive(PATIENCE_SECONDS)
        _require(frame is not None and frame.type is FrameType.READY, f"no READY: {frame}; said {stream.diagnostic!r}")
        yield made, stream


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _eventually(predicate: Callable[[], bool], message: str) -> None:
    """An engine has no event for this: ask until it is so, within ``PATIENCE_SECONDS``."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not predicate():
        _require(time.monotonic() < deadline, message)
        time.sleep(POLL_SECONDS)


def _refuses(action: Callable[[], object], what: str) -> None:
    try:
        action()
    except EngineError:
        return
    raise AssertionError(f"{what} did not raise EngineError")


def _row(engine: Engine, made: Made) -> ContainerRow | None:
    rows = engine.list({LABEL: made.label})
    _require(len(rows) <= 1, "a label's value found containers that do not carry it")
    return rows[0] if rows else None


def _ended(stream: Stream) -> bool:
    """Read to the end of the stream; False if it stays open."""
    with contextlib.suppress(StreamEnded):
        while stream.receive(PATIENCE_SECONDS) is not None:
            pass
        return False
    return True


def check_info_names_the_engine(engine: Engine, make_options: MakeOptions) -> None:
    info = engine.info()
    _require(bool(info.version and info.api_version and info.kernel), f"info lacks a version: {info}")
    _require(info.cpus >= 1, f"info counts {info.cpus} processors")


def check_created_is_listed_but_not_running(engine: Engine, make_options: MakeOptions) -> None:
    with _container(engine, make_options) as made:
        row = _row(engine, made)
        _require(row is not None, "a created container is not listed")
        assert row is not None  # noqa: S101 - for the type checker
        _require((row.id, row.name, row.state) == (made.id, made.name, "created"), f"listed as {row}")
        _require(row.labels.get(LABEL) == made.label, f"its labels are {row.labels}")


def check_list_wants_every_label(engine: Engine, make_options: MakeOptions) -> None:
    with _container(engine, make_options) as made:
        for labels, found in (
            ({LABEL: made.label, f"{LABEL}.second": "2"}, True),
            ({LABEL: made.label, f"{LABEL}.second": ""}, True),
            ({LABEL: ""}, True),
            ({LABEL: made.label, f"{LABEL}.second": "3"}, False),
            ({LABEL: made.label, f"{LABEL}.third": ""}, False),
            ({LABEL: made.label[:-1]}, False),
        ):
            listed = made.id in [row.id for row in engine.list(labels)]
            _require(listed is found, f"list({labels}) {'misses' if found else 'has'} a container with {made}")


def check_inspect_shows_what_was_asked(engine: Engine, make_options: MakeOptions) -> None:
    with _container(engine, make_options) as made:
        document, wanted = engine.inspect(made.id), make_options({})
        _require(document is not None, "a created container cannot be inspected")
        assert document is not None  # noqa: S101 - for the type checker
        _require(document["Id"] == made.id and document["Name"] == f"/{made.name}", "inspect names another container")
        _require(document["Config"]["User"] == wanted["User"], "inspect shows another user")
        for key in ("Memory", "MemorySwap", "PidsLimit", "ReadonlyRootfs", "CapDrop", "NetworkMode"):
            shown, asked = document["HostConfig"][key], wanted["HostConfig"][key]
            _require(shown == asked, f"HostConfig.{key}: asked for {asked!r}, shown {shown!r}")


def check_a_name_is_used_once(engine: Engine, make_options: MakeOptions) -> None:
    with _container(engine, make_options) as made:
        _refuses(lambda: engine.create(made.name, make_options({LABEL: "other"})), "a second container of one name")
        _require(engine.inspect(made.id) is not None, "the refusal removed the first container")


def check_attached_before_start_misses_nothing(engine: Engine, make_options: MakeOptions) -> None:
    with _running(engine, make_options) as (made, stream):
        row = _row(engine, made)
        _require(row is not None and row.state == "running", f"a running container is listed as {row}")
        _require(stream.quiet(), "the container says more than READY, unasked")


def check_the_stream_goes_both_ways(engine: Engine, make_options: MakeOptions) -> None:
    with _running(engine, make_options) as (_, stream):
        stream.send(FrameType.ATTEST, b"", time.monotonic() + PATIENCE_SECONDS)
        frame = stream.receive(PATIENCE_SECONDS)
        _require(frame is not None and frame.type is FrameType.POSTURE, f"ATTEST was answered with {frame}")


def check_update_is_applied(engine: Engine, make_options: MakeOptions) -> None:
    with _running(engine, make_options) as (made, _):
        limits = {"Memory": 48 * 2**20, "MemorySwap": 48 * 2**20, "PidsLimit": 17}
        engine.update(made.id, limits)
        host = (engine.inspect(made.id) or {})["HostConfig"]
        _require({key: host[key] for key in limits} == limits, "update is not shown by inspect")


def check_stats_are_sampled(engine: Engine, make_options: MakeOptions) -> None:
    with _running(engine, make_options) as (made, _):
        sample = next(iter(engine.stats(made.id)), None)
        _require(sample is not None and "memory_stats" in sample, f"the first sample is {sample}")


def check_remove_is_idempotent(engine: Engine, make_options: MakeOptions) -> None:
    with _container(engine, make_options) as made:
        engine.remove(made.id)
        engine.remove(made.id)
        _eventually(lambda: _row(engine, made) is None, "a removed container is still listed")
        _require(engine.inspect(made.id) is None, "a removed container can be inspected")
    engine.remove(UNKNOWN)


def check_remove_ends_a_running_container(engine: Engine, make_options: MakeOptions) -> None:
    with _running(engine, make_options) as (made, stream):
        engine.remove(made.id)
        _require(_ended(stream), "the stream of a removed container stays open")
        _eventually(lambda: engine.inspect(made.id) is None, "a removed container can be inspected")


def check_the_container_ends_with_its_host(engine: Engine, make_options: MakeOptions) -> None:
    with _running(engine, make_options) as (made, stream):
        stream.close()
        _eventually(lambda: engine.inspect(made.id) is None, "the host let go, and the container is still there")
        _require(_row(engine, made) is None, "a container that is gone is listed")


def check_waiting_for_removal(engine: Engine, make_options: MakeOptions) -> None:
    with _running(engine, make_options) as (made, stream):
        _require(not engine.wait_removed(made.id, 0.2), "a running container counts as removed")
        stream.end_input()
        _require(engine.wait_removed(made.id, 10.0), "the end of its input does not end the container")
        _require(engine.inspect(made.id) is None, "it is not removed although waiting said so")
        _require(engine.wait_removed(made.id, 0.2), "what is gone does not count as removed")


def check_unknown_ids_are_refused(engine: Engine, make_options: MakeOptions) -> None:
    _require(engine.inspect(UNKNOWN) is None, "inspect found an unknown container")
    _refuses(lambda: engine.attach(UNKNOWN), "attaching to an unknown container")
    _refuses(lambda: engine.start(UNKNOWN), "starting an unknown container")
    _refuses(lambda: engine.update(UNKNOWN, {"PidsLimit": 10}), "updating an unknown container")
    _refuses(lambda: next(iter(engine.stats(UNKNOWN))), "watching an unknown container")


CHECKS: tuple[Check, ...] = (
    check_info_names_the_engine,
    check_created_is_listed_but_not_running,
    check_list_wants_every_label,
    check_inspect_shows_what_was_asked,
    check_a_name_is_used_once,
    check_attached_before_start_misses_nothing,
    check_the_stream_goes_both_ways,
    check_update_is_applied,
    check_stats_are_sampled,
    check_remove_is_idempotent,
    check_remove_ends_a_running_container,
    check_the_container_ends_with_its_host,
    check_waiting_for_removal,
    check_unknown_ids_are_refused,
)
