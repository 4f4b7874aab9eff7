"""The fake's faults do what they say (that it otherwise behaves like an engine is in ``tests/engine``)."""

from __future__ import annotations

import pytest

from orchestrator.errors import EngineError, EngineUnavailable
from orchestrator.sandbox.options import container_options
from orchestrator.testing import FakeEngine

from .toys import DEADLINE, Task, make_spec

OPTIONS = container_options(make_spec(), labels={"owner": "test"}, mounts=())


def test_the_nth_call_fails() -> None:
    engine = FakeEngine()
    engine.fail("create", EngineError("conflict"), at=2)
    engine.create("a", OPTIONS)
    with pytest.raises(EngineError, match="conflict"):
        engine.create("b", OPTIONS)
    engine.create("c", OPTIONS)
    assert [container.name for container in engine.containers] == ["a", "c"]


def test_a_time_out_after_the_container_was_made() -> None:
    engine = FakeEngine()
    engine.fail("create", EngineUnavailable("timed out"), after=True)
    with pytest.raises(EngineUnavailable):
        engine.create("a", OPTIONS)
    assert [row.name for row in engine.list({"owner": ""})] == ["a"]


def test_down_and_up() -> None:
    engine = FakeEngine()
    engine.down = True
    with pytest.raises(EngineUnavailable):
        engine.list({})
    engine.down = False
    assert engine.list({}) == []


def test_lists_that_omit_and_removals_that_linger() -> None:
    engine = FakeEngine()
    container_id = engine.create("a", OPTIONS)
    engine.hidden.add(container_id)
    assert engine.list({}) == []
    engine.hidden.clear()
    engine.lingering = 1
    engine.remove(container_id)
    assert [row.state for row in engine.list({})] == ["removing"]
    assert engine.list({}) == []
    engine.remove(container_id)


def test_a_held_verb_waits_and_everything_is_recorded() -> None:
    engine = FakeEngine()
    with engine.hold("create") as gate:
        task = Task(lambda: engine.create("a", OPTIONS))
        assert gate.wait_for(1, DEADLINE)
        assert engine.list({}) == []
        assert task.running
    container_id = task.result()
    engine.remove(container_id)
    assert sorted(call.verb for call in engine.calls) == ["create", "list", "remove"]
    assert engine.calls[-1].container_id == container_id
    assert engine.containers == []
