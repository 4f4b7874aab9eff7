"""The pool over real ``Sandbox`` objects and the fake engine: what an engine breaks, the pool mends or tells."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from orchestrator.errors import EngineError, EngineUnavailable, PostureError
from orchestrator.pool import PoolSettings, WarmPools
from orchestrator.sandbox.outcome import Job, JobLimits
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.slot import NoSlot
from orchestrator.sandbox.spec import SandboxSpec
from orchestrator.testing import Answer, FakeEngine, Manner

from .toys import DEADLINE, Task, make_spec

SPEC = make_spec()
FAST = PoolSettings(retry_seconds=0.01, retry_max_seconds=0.02, acquire_timeout_seconds=DEADLINE)
JOB = Job(
    run_id="run-1",
    code="",
    filename="skill.py",
    entrypoint="main",
    inputs={"answer": 42},
    limits=JobLimits(1.0, 0.1, 1.0, 1000, 1000, 1000, 1000, 1000),
    landlock=None,
    guards=None,
)


@contextmanager
def pool_over(engine: FakeEngine, budget: PoolSettings = FAST) -> Iterator[WarmPools[Sandbox]]:
    """Afterwards the engine holds no container, and was never asked for anything but the verbs there are."""
    names = itertools.count()

    def make(spec: SandboxSpec) -> Sandbox:
        return Sandbox.start(engine, spec, name=f"sandbox-{next(names)}", labels={"owner": "test"}, slot=NoSlot())

    with WarmPools(make, budget=budget) as pool:
        yield pool
    assert engine.containers == []


def test_a_run_from_end_to_end() -> None:
    engine = FakeEngine(on_job=lambda job: Answer(stdout=b"hello\n", result=b'{"ok": true, "value": 42}'))
    with pool_over(engine) as pool:
        pool.configure(SPEC, 1)
        pool.prime(DEADLINE)
        with pool.lease(SPEC) as lease:
            outcome = lease.sandbox.run(JOB)
    assert (outcome.failure, bytes(outcome.stdout), outcome.result) == ("", b"hello\n", b'{"ok": true, "value": 42}')
    assert outcome.final is not None
    assert outcome.final.cause == "exited"


@pytest.mark.parametrize("break_it", [FakeEngine.kill, FakeEngine.vanish], ids=["died", "removed behind our back"])
def test_a_container_that_ended_while_idle_is_not_handed_out(break_it: Callable[[FakeEngine, str], None]) -> None:
    engine = FakeEngine()
    with pool_over(engine) as pool:
        pool.configure(SPEC, 2)
        pool.prime(DEADLINE)
        broken = {container.id for container in engine.containers}
        for container_id in broken:
            break_it(engine, container_id)
        with pool.lease(SPEC) as lease:
            assert lease.sandbox.id not in broken
            assert lease.sandbox.run(JOB).failure == ""
        assert pool.stats().dead_total == 2


def test_a_container_that_talks_unasked_is_not_handed_out() -> None:
    manners = iter([Manner.CHATTY])
    engine = FakeEngine(on_start=lambda _: next(manners, Manner.PROPER))
    with pool_over(engine) as pool, pool.lease(SPEC) as lease:
        assert lease.sandbox.run(JOB).failure == ""
    assert engine.called("create") == 2


@pytest.mark.parametrize("manner", [Manner.GARBAGE, Manner.EARLY_END, Manner.UNMULTIPLEXED])
def test_a_container_that_does_not_come_up_is_removed_and_another_made(manner: Manner) -> None:
    manners = iter([manner])
    engine = FakeEngine(on_start=lambda _: next(manners, Manner.PROPER))
    with pool_over(engine) as pool:
        with pool.lease(SPEC) as lease:
            assert lease.sandbox.run(JOB).failure == ""
        assert pool.stats().create_failures_total == 1


def test_an_engine_that_does_not_do_as_asked_runs_nothing() -> None:
    engine = FakeEngine(on_posture=lambda posture: posture | {"seccomp": 0})
    with pool_over(engine) as pool:
        with pytest.raises(PostureError, match="seccomp: asked for 2, found 0"):
            pool.lease(SPEC)
        assert pool.stats().degraded


def test_an_engine_restart_is_survived() -> None:
    engine = FakeEngine()
    with pool_over(engine) as pool:
        pool.configure(SPEC, 2)
        pool.prime(DEADLINE)
        engine.down = True
        engine.end_all()
        with pytest.raises(EngineUnavailable):
            pool.lease(SPEC)
        assert pool.stats().degraded
        engine.down = False
        pool.prime(DEADLINE)
        pool.lease(SPEC).release()
        assert not pool.wait_until(lambda stats: stats.removing == 0, DEADLINE).degraded


class Stubborn(FakeEngine):
    """Its containers do not end when their input does."""

    def wait_removed(self, container_id: str, timeout: float) -> bool:
        return False


class Forgetful(FakeEngine):
    """Its containers end, and the first wait for that is never answered, as engine 20.10 does now and then."""

    def wait_removed(self, container_id: str, timeout: float) -> bool:
        return super().wait_removed(container_id, timeout) and self.called("wait_removed") > 1


@pytest.mark.parametrize(
    ("engine", "forced"),
    [(Stubborn(), 1), (Forgetful(), 0), (FakeEngine(), 0)],
    ids=["stubborn", "forgetful", "control"],
)
def test_what_does_not_end_by_itself_is_removed_by_force(engine: FakeEngine, forced: int) -> None:
    with pool_over(engine) as pool:
        pool.lease(SPEC).release()
        pool.wait_until(lambda stats: stats.removed_total == 1, DEADLINE)
    assert engine.called("remove") == forced
    assert engine.containers == []


def test_removals_that_fail_are_repeated() -> None:
    engine = FakeEngine()
    with pool_over(engine) as pool:
        engine.fail("wait_removed", EngineError("device or resource busy"), times=2)
        pool.lease(SPEC).release()
        pool.wait_until(lambda stats: stats.removed_total == 1, DEADLINE)
        assert pool.stats().remove_failures_total == 2


def test_creations_overlap_and_are_counted_while_they_last() -> None:
    engine = FakeEngine()
    with pool_over(engine, replace(FAST, max_containers=4, create_workers=2)) as pool:
        with engine.hold("create") as gate:
            pool.configure(SPEC, 4)
            waiter = Task(lambda: pool.lease(SPEC))
            assert gate.wait_for(2, DEADLINE)
            assert pool.wait_until(lambda stats: stats.waiting == 1, DEADLINE).starting == 2
        waiter.result().release()
        pool.prime(DEADLINE)
    assert engine.most_creating == 2


def test_a_burst_over_slow_verbs() -> None:
    engine = FakeEngine(latency={"create": 0.01, "start": 0.02, "remove": 0.02})
    with pool_over(engine, replace(FAST, max_containers=6)) as pool:
        pool.configure(SPEC, 3)
        pool.prime(DEADLINE)
        warm = []

        def run() -> None:
            with pool.lease(SPEC) as lease:
                warm.append(lease.warm)
                assert lease.sandbox.run(JOB).failure == ""

        for task in [Task(run) for _ in range(6)]:
            task.result()
        assert len(warm) == 6
        assert sum(warm) >= 3
    assert engine.most_creating <= PoolSettings().create_workers
