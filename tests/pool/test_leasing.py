"""Leases: warm, cold, in order, in time, and never twice. Nothing sleeps: creations are held and let go by gates."""

from __future__ import annotations

import functools
import gc
import os
import signal
import threading
from collections.abc import Callable

import pytest

from orchestrator.errors import LeaseCancelled, PoolSaturated, PoolTimeout, SettingsError
from orchestrator.pool import Lease, PoolSettings, WarmPools

from .toys import DEADLINE, Clock, Task, Toy, Workshop, make_spec

Pool = WarmPools[Toy]
Opener = Callable[..., Pool]
STANDARD, STRICT, RELAXED = make_spec("standard"), make_spec("strict"), make_spec("relaxed")


def hold(pool: Pool, spec: object = STANDARD, **options: object) -> Task:
    """A lease on a thread of its own, which keeps it."""
    return Task(lambda: pool.lease(spec, **options))  # type: ignore[arg-type]


def queue_up(pool: Pool, *specs: object) -> list[Task]:
    """One waiter for each spec, surely in this order."""
    before = pool.stats().waiting
    tasks = []
    for number, spec in enumerate(specs, before + 1):
        tasks.append(hold(pool, spec))
        pool.wait_until(lambda stats, number=number: stats.waiting == number, DEADLINE)  # type: ignore[misc]
    return tasks


def settled(pool: Pool) -> None:
    pool.wait_until(lambda stats: stats.leased + stats.removing + stats.starting == 0, DEADLINE)


def test_a_warm_lease(open_pool: Opener) -> None:
    pool = open_pool()
    pool.configure(STANDARD, 1)
    pool.prime(DEADLINE)
    with pool.lease(STANDARD) as lease:
        first = lease.sandbox
        assert lease.warm
        assert lease.waited_seconds == 0.0
        assert not first.destroyed.is_set()
    assert first.destroyed.wait(DEADLINE)
    pool.prime(DEADLINE)
    with pool.lease(STANDARD) as lease:
        assert lease.sandbox is not first
    stats = pool.stats()
    assert (stats.leases_total, stats.leases_warm_total, stats.leases_cold_total) == (2, 2, 0)


def test_taking_one_starts_its_replacement_at_once(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    pool.configure(STANDARD, 1)
    pool.prime(DEADLINE)
    with pool.lease(STANDARD):
        workshop.wait_begun(2)
        pool.prime(DEADLINE)
        with pool.lease(STANDARD) as second:
            assert second.warm


def test_a_spec_that_nobody_configured_runs_cold_and_is_forgotten(open_pool: Opener, clock: Clock) -> None:
    pool = open_pool(clock=clock)
    with pool.lease(STANDARD) as lease:
        assert not lease.warm
    settled(pool)
    pool.tick()
    stats = pool.stats()
    assert stats.specs == ()
    assert (stats.leases_cold_total, stats.created_total, stats.removed_total) == (1, 1, 1)


def test_creations_overlap_and_hold_nobody_up(open_pool: Opener, workshop: Workshop) -> None:
    """llm-sandbox creates under its pool's lock: there, the second lease and even a warm one would wait."""
    pool = open_pool()
    pool.configure(STRICT, 1)
    pool.prime(DEADLINE)
    workshop.gate.clear()
    tasks = [hold(pool), hold(pool)]
    workshop.wait_begun(3)
    assert workshop.in_progress == 2
    with pool.lease(STRICT) as lease:
        assert lease.warm
    assert all(task.running for task in tasks)
    workshop.gate.set()
    for task in tasks:
        task.result().release()


def test_a_dead_one_is_never_handed_out(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool(create_workers=1)
    pool.configure(STANDARD, 3)
    pool.prime(DEADLINE)
    dead, alive = workshop.toys[:2], workshop.toys[2]
    for toy in dead:
        toy.is_alive = False
    workshop.gate.clear()
    with pool.lease(STANDARD, timeout=DEADLINE) as lease:
        assert lease.sandbox is alive
        assert lease.warm
    assert all(toy.destroyed.wait(DEADLINE) for toy in dead)
    assert pool.stats().dead_total == 2


def test_when_all_are_dead_the_caller_waits_for_a_new_one(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    pool.configure(STANDARD, 2)
    pool.prime(DEADLINE)
    for toy in workshop.toys:
        toy.is_alive = False
    workshop.gate.clear()
    [task] = queue_up(pool, STANDARD)
    workshop.gate.set()
    with task.result() as lease:
        assert not lease.warm
        assert lease.sandbox.is_alive


def test_one_that_cannot_be_asked_is_dead(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    pool.configure(STANDARD, 1)
    pool.prime(DEADLINE)
    workshop.alive_error = OSError("bad file descriptor")
    workshop.gate.clear()
    [task] = queue_up(pool, STANDARD)
    workshop.gate.set()
    with task.result() as lease:
        assert lease.sandbox is not workshop.toys[0]
    assert pool.stats().dead_total == 1


def test_the_periodic_check_replaces_the_dead_and_leaves_leased_ones_alone(
    open_pool: Opener, workshop: Workshop, clock: Clock
) -> None:
    pool = open_pool(clock=clock, max_idle_seconds=1e6)
    pool.configure(STANDARD, 2)
    pool.prime(DEADLINE)
    with pool.lease(STANDARD) as lease:
        pool.prime(DEADLINE)
        busy = lease.sandbox
        for toy in workshop.toys:
            toy.is_alive = False  # a busy sandbox is not silent: it would fail the check
        clock.now += 3601.0
        pool.tick()
        pool.prime(DEADLINE)
        assert pool.stats().dead_total == 2
        assert not busy.destroyed.is_set()
    assert busy.destroyed.wait(DEADLINE)


def test_the_periodic_check_wants_an_answer_which_no_caller_waits_for(
    open_pool: Opener, workshop: Workshop, clock: Clock
) -> None:
    """One that is paused looks alive."""
    pool = open_pool(clock=clock, max_idle_seconds=1e6)
    pool.configure(STANDARD, 2)
    pool.prime(DEADLINE)
    for toy in workshop.toys:
        toy.is_answering = False
    with pool.lease(STANDARD) as lease:
        assert lease.warm
        pool.prime(DEADLINE)
        assert pool.stats().dead_total == 0
    clock.now += 3601.0
    pool.tick()
    pool.prime(DEADLINE)
    assert workshop.toys[1].destroyed.wait(DEADLINE)
    assert pool.stats().dead_total == 1


def test_old_ones_are_replaced(open_pool: Opener, workshop: Workshop, clock: Clock) -> None:
    pool = open_pool(clock=clock, max_idle_seconds=100.0)
    pool.configure(STANDARD, 2)
    pool.prime(DEADLINE)
    clock.now += 89.0
    pool.tick()
    assert pool.stats().expired_total == 0
    clock.now += 12.0
    pool.tick()
    pool.prime(DEADLINE)
    assert pool.stats().expired_total == 2
    assert [toy.destroyed.wait(DEADLINE) for toy in workshop.toys[:2]] == [True, True]


def test_an_old_one_is_not_handed_out_even_if_the_ticker_is_late(
    open_pool: Opener, workshop: Workshop, clock: Clock
) -> None:
    pool = open_pool(clock=clock, max_idle_seconds=100.0)
    pool.configure(STANDARD, 1)
    pool.prime(DEADLINE)
    clock.now += 101.0
    with pool.lease(STANDARD) as lease:
        assert lease.sandbox is not workshop.toys[0]


def test_waiters_are_served_in_order_of_arrival_over_specs(open_pool: Opener) -> None:
    pool = open_pool(max_containers=1)
    holder = pool.lease(STANDARD)
    served = []
    tasks = queue_up(pool, STRICT, STANDARD, RELAXED, STRICT)
    for task in tasks:
        holder.release()
        holder = task.result()
        served.append(holder.sandbox.spec.level)
    holder.release()
    assert served == ["strict", "standard", "relaxed", "strict"]


def test_waiters_come_before_warm_targets(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool(max_containers=4, create_workers=1)
    workshop.gate.clear()
    pool.configure(STANDARD, 3)
    workshop.wait_begun(1)
    [task] = queue_up(pool, STRICT)
    workshop.gate.set()
    task.result().release()
    assert [spec.level for spec in workshop.begun[:2]] == ["standard", "strict"]


def test_an_idle_one_of_another_spec_makes_room(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool(max_containers=3)
    pool.configure(STANDARD, 3)
    pool.prime(DEADLINE)
    with pool.lease(STRICT) as lease:
        assert lease.sandbox.spec is STRICT
        assert pool.stats().retired_total == 1
    pool.prime(DEADLINE)
    assert workshop.most_existing == 3


def test_a_pool_of_one_keeps_one(open_pool: Opener, workshop: Workshop) -> None:
    """llm-sandbox, told to keep at most 1, kept 3."""
    pool = open_pool(max_containers=1)
    pool.configure(STANDARD, 1)

    def run() -> None:
        for spec in (STANDARD, STRICT) * 5:
            pool.lease(spec).release()

    for task in [Task(run) for _ in range(4)]:
        task.result()
    assert workshop.most_existing == 1


def test_slow_creations_are_not_ordered_again(open_pool: Opener, workshop: Workshop) -> None:
    """kubernetes-sigs/agent-sandbox #1215: a burst over slow creations made ten times too many."""
    pool = open_pool(max_containers=50, create_workers=20)
    workshop.gate.clear()
    tasks = queue_up(pool, *[STANDARD] * 10)
    for _ in range(20):
        pool.tick()
    assert pool.stats().starting == 10
    workshop.gate.set()
    leases = [task.result() for task in tasks]
    assert len(workshop.begun) == 10
    for lease in leases:
        lease.release()


def test_creations_at_once_are_capped_and_do_not_starve_removals(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool(max_containers=12, create_workers=2)
    pool.configure(STANDARD, 2)
    pool.prime(DEADLINE)
    lease = pool.lease(STANDARD)
    workshop.gate.clear()
    tasks = queue_up(pool, *[STRICT] * 5)
    lease.release()
    assert lease.sandbox.destroyed.wait(DEADLINE), "removal waits behind held creations"
    workshop.gate.set()
    for task in tasks:
        task.result().release()
    assert workshop.most_in_progress == 2


def test_saturation_is_told_at_once(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool(max_waiting=1)
    workshop.gate.clear()
    [waiter] = queue_up(pool, STANDARD)
    with pytest.raises(PoolSaturated, match="max_waiting is 1"):
        pool.lease(STRICT)
    assert pool.stats().saturated_total == 1
    workshop.gate.set()
    waiter.result().release()


def test_who_times_out_swallows_nothing(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    workshop.gate.clear()
    pool.configure(STANDARD, 1)
    with pytest.raises(PoolTimeout, match=r"1 starting|2 starting"):
        pool.lease(STANDARD, timeout=0.01)
    assert pool.stats().waiting == 0
    workshop.gate.set()
    pool.prime(DEADLINE)
    stats = pool.wait_until(lambda stats: stats.starting + stats.removing == 0, DEADLINE)
    assert (stats.warm, stats.leased, stats.timeouts_total) == (1, 0, 1)


def test_a_timeout_of_zero_takes_only_what_is_warm(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    with pytest.raises(PoolTimeout):
        pool.lease(STANDARD, timeout=0)
    assert workshop.begun == []
    pool.configure(STANDARD, 1)
    pool.prime(DEADLINE)
    pool.lease(STANDARD, timeout=0).release()


def test_hand_over_races_with_timeouts(open_pool: Opener, workshop: Workshop) -> None:
    """Many callers whose patience ends about when a sandbox arrives; the fixture checks that none was lost."""
    pool = open_pool(max_containers=3, create_workers=3, max_waiting=100)
    served: list[Toy] = []

    def run(patience: float) -> None:
        for _ in range(40):
            try:
                with pool.lease(STANDARD, timeout=patience) as lease:
                    served.append(lease.sandbox)
            except PoolTimeout:
                continue

    for task in [Task(functools.partial(run, patience)) for patience in [1e-5, 1e-4, 3e-4, 1e-3] * 2]:
        task.result()
    settled(pool)
    assert len(set(served)) == len(served)
    assert workshop.most_existing <= 3
    stats = pool.stats()
    assert stats.leases_total + stats.timeouts_total >= 8 * 40


def test_cancelled_while_waiting(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    workshop.gate.clear()
    flag = threading.Event()
    task = hold(pool, cancelled=flag.is_set)
    pool.wait_until(lambda stats: stats.waiting == 1, DEADLINE)
    flag.set()
    with pytest.raises(LeaseCancelled):
        task.result()
    assert pool.stats().waiting == 0


def test_keyboard_interrupt_while_waiting(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    workshop.gate.clear()

    def interrupt() -> None:
        pool.wait_until(lambda stats: stats.waiting == 1, DEADLINE)
        os.kill(os.getpid(), signal.SIGINT)

    task = Task(interrupt)
    with pytest.raises(KeyboardInterrupt):
        pool.lease(STANDARD)
    task.result()
    assert pool.stats().waiting == 0
    workshop.gate.set()
    settled(pool)
    pool.lease(STANDARD).release()


def test_a_lease_that_is_dropped_is_removed(open_pool: Opener) -> None:
    pool = open_pool()
    toy = pool.lease(STANDARD).sandbox
    gc.collect()
    assert toy.destroyed.wait(DEADLINE)
    settled(pool)


def test_releasing_twice_is_harmless(open_pool: Opener) -> None:
    pool = open_pool()
    with pool.lease(STANDARD) as lease:
        lease.release()
    settled(pool)
    assert pool.stats().removed_total == 1


def test_nothing_is_handed_out_twice_under_stress(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool(max_containers=12, create_workers=3, max_waiting=16)
    pool.configure(STANDARD, 4)
    pool.configure(STRICT, 2)
    seen: list[Toy] = []

    def run(number: int) -> None:
        for turn in range(200):
            with pool.lease((STANDARD, STANDARD, STRICT, RELAXED)[(number + turn) % 4]) as lease:
                lease.sandbox.held += 1
                assert not lease.sandbox.destroyed.is_set()
                seen.append(lease.sandbox)

    for task in [Task(functools.partial(run, number)) for number in range(16)]:
        task.result()
    assert len(seen) == len({toy.id for toy in seen}) == 16 * 200
    assert workshop.most_existing <= 12
    assert workshop.most_in_progress <= 3
    pool.prime(DEADLINE)
    settled(pool)
    stats = pool.stats()
    assert (stats.warm, stats.leases_total, stats.waiting) == (6, 3200, 0)
    assert stats.created_total - stats.removed_total == 6


def test_resize(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool(max_containers=4)
    pool.configure(STANDARD, 1)
    pool.resize(STANDARD, 3)
    pool.prime(DEADLINE)
    pool.resize(STANDARD, 1)
    stats = pool.wait_until(lambda stats: stats.removing == 0, DEADLINE)
    assert (stats.warm, workshop.existing) == (1, 1)
    pool.resize(max_containers=8)
    pool.resize(STANDARD, 8)
    pool.prime(DEADLINE)
    assert workshop.existing == 8


def test_a_smaller_budget_leaves_leased_ones_alone(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool(max_containers=4)
    leases: list[Lease[Toy]] = [pool.lease(STANDARD) for _ in range(3)]
    pool.configure(STANDARD, 1)
    pool.prime(DEADLINE)
    pool.resize(max_containers=2)
    pool.wait_until(lambda stats: stats.warm + stats.removing == 0, DEADLINE)
    assert not any(lease.sandbox.destroyed.is_set() for lease in leases)
    for lease in leases:
        lease.release()
    pool.prime(DEADLINE)
    assert workshop.existing <= 2


def test_drain(open_pool: Opener, workshop: Workshop, clock: Clock) -> None:
    pool = open_pool(clock=clock)
    pool.configure(STANDARD, 2)
    pool.prime(DEADLINE)
    with pool.lease(STANDARD) as lease:
        pool.drain(STANDARD)
        pool.wait_until(lambda stats: stats.warm + stats.starting + stats.removing == 0, DEADLINE)
        assert not lease.sandbox.destroyed.is_set()
    settled(pool)
    pool.tick()
    assert pool.stats().specs == ()


def test_targets_beyond_the_budget_are_refused(open_pool: Opener) -> None:
    pool = open_pool(max_containers=4)
    pool.configure(STANDARD, 3)
    with pytest.raises(SettingsError, match="add up to 5"):
        pool.configure(STRICT, 2)
    with pytest.raises(SettingsError, match="add up to 3"):
        pool.resize(max_containers=2)
    pool.resize(STANDARD, 4)


@pytest.mark.parametrize("wrong", [{"max_containers": 0}, {"max_waiting": -1}, {"check_seconds": float("nan")}])
def test_settings_that_cannot_work(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        PoolSettings(**wrong)  # type: ignore[arg-type]


def test_prime_says_what_is_missing(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    pool.configure(STANDARD, 1)
    pool.prime(DEADLINE)
    workshop.gate.clear()
    pool.configure(STRICT, 2)
    with pytest.raises(PoolTimeout, match="strict: 0 of 2 warm"):
        pool.prime(0.01)


def test_stats_add_up(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    pool.configure(STANDARD, 2)
    pool.configure(STRICT, 1)
    pool.prime(DEADLINE)
    with pool.lease(STRICT):
        stats = pool.stats()
        by_level = {spec.level: spec for spec in stats.specs}
        assert (by_level["standard"].warm, by_level["standard"].leases_total) == (2, 0)
        assert (by_level["strict"].leased, by_level["strict"].leases_warm_total) == (1, 1)
        assert stats.leases_total == 1
        assert stats.warm_target == 3
        assert stats.to_dict()["max_containers"] == 8
        assert not stats.degraded
