"""``close`` and ``fork``: wait for what was promised, then leave nothing; and never touch what is another's."""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Callable

import pytest

from orchestrator.errors import EngineError, PoolClosed
from orchestrator.pool import PoolSettings, WarmPools
from orchestrator.sandbox.spec import SandboxSpec

from .test_leasing import hold, queue_up
from .toys import DEADLINE, Task, Toy, Workshop, make_spec, pool_threads

Opener = Callable[..., WarmPools[Toy]]
STANDARD = make_spec()


def test_close_waits_for_leases(open_pool: Opener, workshop: Workshop) -> None:
    """llm-sandbox's close() killed what it said it would wait for."""
    pool = open_pool()
    pool.configure(STANDARD, 2)
    pool.prime(DEADLINE)
    lease = pool.lease(STANDARD)
    closing = Task(lambda: pool.close(timeout=DEADLINE))
    idle = pool.wait_until(lambda stats: stats.closed and stats.warm == 0, DEADLINE)
    assert idle.leased == 1
    assert closing.running
    assert not lease.sandbox.destroyed.is_set()
    with pytest.raises(PoolClosed):
        pool.lease(STANDARD)
    lease.release()
    closing.result()
    assert workshop.existing == 0
    assert pool_threads() == []


def test_close_takes_what_is_not_released_in_time(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    lease = pool.lease(STANDARD)
    pool.close(timeout=0.01)
    assert lease.sandbox.destroyed.is_set()
    lease.release()
    assert pool.stats().removed_total == 1


def test_close_tells_those_who_wait_and_removes_what_was_being_created(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool(max_containers=2, create_workers=1)
    workshop.gate.clear()
    tasks = queue_up(pool, STANDARD, STANDARD, STANDARD)
    workshop.wait_begun(1)
    closing = Task(lambda: pool.close(timeout=0.01))
    for task in tasks:
        with pytest.raises(PoolClosed, match="the pool is closed"):
            task.result()
    assert closing.running
    workshop.gate.set()
    closing.result()
    assert [toy.destroyed.is_set() for toy in workshop.toys] == [True]


def test_close_twice_and_at_once(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    pool.configure(STANDARD, 1)
    pool.prime(DEADLINE)
    workshop.exit.clear()
    closers = [Task(pool.close) for _ in range(3)]
    pool.wait_until(lambda stats: stats.removing == 1, DEADLINE)
    assert all(closer.running for closer in closers)
    workshop.exit.set()
    for closer in closers:
        closer.result()
    pool.close()


def test_everything_is_refused_afterwards(open_pool: Opener) -> None:
    pool = open_pool()
    pool.close()
    for call in (
        lambda: pool.lease(STANDARD),
        lambda: pool.configure(STANDARD, 1),
        lambda: pool.resize(STANDARD, 1),
        lambda: pool.drain(STANDARD),
        lambda: pool.prime(1.0),
    ):
        with pytest.raises(PoolClosed):
            call()
    assert pool.stats().closed


def test_close_says_what_it_could_not_remove(workshop: Workshop) -> None:
    budget = PoolSettings(removal_grace_seconds=0.05, retry_seconds=0.001, retry_max_seconds=0.001)
    pool = WarmPools(workshop, budget=budget)
    pool.configure(STANDARD, 1)
    pool.prime(DEADLINE)
    workshop.removal_faults.extend([EngineError("device busy")] * 10_000)
    with pytest.raises(EngineError, match="1 sandboxes may still exist; last failure: EngineError: device busy"):
        pool.close()
    assert pool_threads() == []
    pool.close()


def test_as_a_context_manager(workshop: Workshop) -> None:
    with WarmPools(workshop) as pool:
        pool.configure(STANDARD, 2)
        pool.prime(DEADLINE)
        pool.lease(STANDARD).release()
    assert workshop.existing == 0
    assert pool_threads() == []


def test_a_pool_that_was_never_used_closes(open_pool: Opener) -> None:
    open_pool().close()


def in_a_child(check: Callable[[], None]) -> None:
    """Run ``check`` in a forked child, which leaves without running any of the parent's code."""
    if (pid := os.fork()) == 0:
        try:
            check()
        except BaseException:  # noqa: BLE001 - the child must not return into the parent's test
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_may_neither_use_nor_destroy(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    pool.configure(STANDARD, 1)
    pool.prime(DEADLINE)
    lease = pool.lease(STANDARD)

    def check() -> None:
        with pytest.raises(PoolClosed, match="forked"):
            pool.lease(STANDARD)
        with pytest.raises(PoolClosed, match="forked"):
            pool.configure(STANDARD, 2)
        lease.release()
        pool.close()
        assert pool.stats().closed
        assert not any(toy.destroyed.is_set() for toy in workshop.toys)

    with pool._lock:  # as if another thread were in the middle of a change when this one forks
        in_a_child(check)
    assert not lease.sandbox.destroyed.is_set()
    lease.release()
    assert lease.sandbox.destroyed.wait(DEADLINE)
    pool.prime(DEADLINE)
    hold(pool).result().release()


class Wired:
    """A sandbox with a socket, for as long as anybody refers to it."""

    def __init__(self, spec: SandboxSpec) -> None:
        self.id, self.spec = "wired", spec
        self.near, self.far = socket.socketpair()

    def alive(self) -> bool:
        return True

    def answers(self) -> bool:
        return True

    def destroy(self) -> None:
        self.near.close()
        self.far.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning", "ignore:unclosed:ResourceWarning")
def test_a_forked_child_keeps_no_socket_of_an_idle_sandbox() -> None:
    """Or a sandbox would outlive its orchestrator for as long as some child of it lives."""
    numbers: list[int] = []

    def make(spec: SandboxSpec) -> Wired:
        wired = Wired(spec)
        numbers.append(wired.near.fileno())
        return wired

    def check() -> None:
        for number in numbers:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(number)

    with WarmPools(make) as pool:
        pool.configure(STANDARD, 2)
        pool.prime(DEADLINE)
        in_a_child(check)
        with pool.lease(STANDARD) as lease:
            assert lease.sandbox.near.fileno() in numbers
