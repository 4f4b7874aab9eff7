"""Creations and removals that fail: who is told, when it is tried again, and that the pool mends itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.errors import (
    EngineError,
    EngineUnavailable,
    ImageError,
    OrchestratorError,
    PoolTimeout,
    PostureError,
    SandboxError,
)
from orchestrator.pool import WarmPools

from .test_leasing import hold, queue_up, settled
from .toys import DEADLINE, Clock, Toy, Workshop, make_spec, pool_threads

Opener = Callable[..., WarmPools[Toy]]
STANDARD, STRICT = make_spec("standard"), make_spec("strict")
AWAY = EngineUnavailable("nothing answers", hint="start it")


def failures(pool: WarmPools[Toy], count: int) -> None:
    pool.wait_until(lambda stats: stats.create_failures_total == count and stats.starting == 0, DEADLINE)


def test_engine_away_everybody_who_waits_is_told_and_it_heals(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool(retry_seconds=0.01, retry_max_seconds=0.02, create_workers=1)
    workshop.gate.clear()
    tasks = queue_up(pool, STANDARD, STRICT, STANDARD)
    workshop.broken = AWAY
    workshop.gate.set()
    for task in tasks:  # one creation failed; the other two waiters, of whatever spec, need not find out one by one
        with pytest.raises(EngineUnavailable, match="nothing answers") as caught:
            task.result()
        assert caught.value is not AWAY
        assert caught.value.__cause__ is AWAY
        assert caught.value.hint == "start it"
    pool.configure(STANDARD, 1)
    stats = pool.stats()
    assert stats.degraded
    assert stats.last_error == "EngineUnavailable: nothing answers"
    workshop.broken = None
    pool.prime(DEADLINE)
    assert not pool.stats().degraded
    pool.lease(STANDARD).release()


def test_while_the_engine_is_away_it_is_probed_once_at_a_time(
    open_pool: Opener, workshop: Workshop, clock: Clock
) -> None:
    pool = open_pool(clock=clock, create_workers=3, retry_seconds=1.0, retry_max_seconds=8.0)
    workshop.broken = AWAY
    workshop.gate.clear()
    pool.configure(STANDARD, 3)
    workshop.wait_begun(3)
    workshop.gate.set()
    failures(pool, 3)
    clock.now += 0.4  # the first pause is 0.5 to 1 s, although three creations failed: one round
    pool.tick()
    assert len(workshop.begun) == 3
    clock.now += 0.7
    pool.tick()
    failures(pool, 4)
    for _ in range(10):
        pool.tick()
    assert len(workshop.begun) == 4
    workshop.broken = None
    clock.now += 2.1
    workshop.gate.clear()
    pool.tick()
    workshop.wait_begun(5)
    assert pool.stats().starting == 1, "one creation probes until it is known that the engine is back"
    workshop.gate.set()
    pool.prime(DEADLINE)


def test_any_other_answer_shows_that_the_engine_is_back(open_pool: Opener, workshop: Workshop, clock: Clock) -> None:
    pool = open_pool(clock=clock, create_workers=1)
    pool.configure(STRICT, 0)
    workshop.faults.extend([AWAY, PostureError("seccomp is off")])
    with pytest.raises(EngineUnavailable):
        pool.lease(STANDARD)
    clock.now += 10.0
    with pytest.raises(PostureError):
        pool.lease(STANDARD)
    assert [spec.degraded for spec in pool.stats().specs if spec.level == "strict"] == [False]
    pool.lease(STRICT).release()


def test_a_caller_who_comes_while_the_engine_is_away_waits_for_the_next_probe(
    open_pool: Opener, workshop: Workshop, clock: Clock
) -> None:
    pool = open_pool(clock=clock)
    workshop.faults.append(AWAY)
    with pytest.raises(EngineUnavailable):
        pool.lease(STANDARD)
    task = hold(pool)
    pool.wait_until(lambda stats: stats.waiting == 1, DEADLINE)
    clock.now += 10.0
    pool.tick()
    task.result().release()


def test_a_timeout_names_the_trouble(open_pool: Opener, workshop: Workshop, clock: Clock) -> None:
    pool = open_pool(clock=clock)
    workshop.faults.append(AWAY)
    with pytest.raises(EngineUnavailable):
        pool.lease(STANDARD)
    with pytest.raises(PoolTimeout, match="last failure: EngineUnavailable: nothing answers") as caught:
        pool.lease(STANDARD, timeout=0.01)
    assert caught.value.__cause__ is AWAY


@pytest.mark.parametrize("fault", [PostureError("seccomp is off"), ImageError("no such image")])
def test_a_fault_of_configuration_is_told_at_once_to_its_spec_alone(
    open_pool: Opener, workshop: Workshop, clock: Clock, fault: OrchestratorError
) -> None:
    pool = open_pool(clock=clock, fault_retry_seconds=60.0)
    workshop.faults.append(fault)
    for _ in range(3):
        with pytest.raises(type(fault), match=fault.message) as caught:
            pool.lease(STANDARD)
        assert caught.value.__cause__ is fault
    assert len(workshop.begun) == 1, "nobody hammers a fault that time does not mend"
    pool.lease(STRICT).release()
    clock.now += 61.0
    pool.lease(STANDARD).release()


def test_prime_raises_a_fault_of_configuration_and_tries_anew_when_asked_again(
    open_pool: Opener, workshop: Workshop, clock: Clock
) -> None:
    pool = open_pool(clock=clock)
    workshop.faults.append(ImageError("no such image"))
    pool.configure(STANDARD, 1)
    failures(pool, 1)
    workshop.faults.append(ImageError("no such image"))
    with pytest.raises(ImageError, match="no such image"):
        pool.prime(DEADLINE)
    pool.prime(DEADLINE)


def test_bad_luck_is_not_told_to_those_who_wait(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool(retry_seconds=0.01)
    workshop.faults.extend([SandboxError("not ready"), EngineError("conflict")])
    pool.lease(STANDARD).release()
    stats = pool.stats()
    assert stats.create_failures_total == 2
    assert not stats.degraded


def test_after_three_rounds_it_is_no_longer_bad_luck(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool(retry_seconds=0.01)
    workshop.broken = SandboxError("not ready")
    with pytest.raises(SandboxError, match="not ready"):
        pool.lease(STANDARD)
    assert len(workshop.begun) == 3


@pytest.mark.parametrize("bug", [KeyError("Id"), SystemExit(3), MemoryError()])
def test_creators_survive_anything(open_pool: Opener, workshop: Workshop, bug: BaseException) -> None:
    pool = open_pool(retry_seconds=0.01, create_workers=1, attempts_before_failing=1)
    before = pool_threads()
    workshop.faults.append(bug)
    with pytest.raises(SandboxError, match=type(bug).__name__) as caught:
        pool.lease(STANDARD)
    assert caught.value.__cause__ is bug
    pool.lease(STANDARD).release()
    assert pool_threads() == before


def test_failed_removals_are_repeated_and_hold_their_room(open_pool: Opener, workshop: Workshop, clock: Clock) -> None:
    pool = open_pool(clock=clock, max_containers=1)
    workshop.removal_faults.extend([EngineUnavailable("away"), RuntimeError("a bug")])
    first = pool.lease(STANDARD)
    first.release()
    for count in (1, 2):
        stats = pool.wait_until(lambda stats, count=count: stats.remove_failures_total == count, DEADLINE)  # type: ignore[misc]
        assert stats.degraded
        assert stats.removing == 1
        with pytest.raises(PoolTimeout, match="1 removing"):
            pool.lease(STANDARD, timeout=0.01)
        clock.now += 10.0
        pool.tick()
    settled(pool)
    stats = pool.stats()
    assert (stats.removed_total, stats.degraded) == (1, False)
    pool.lease(STANDARD).release()
    assert workshop.most_existing == 1
