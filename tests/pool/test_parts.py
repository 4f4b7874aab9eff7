"""The small parts by themselves: waiters, back-off, states, threads."""

from __future__ import annotations

import threading

import pytest

from orchestrator.errors import ManifestError, OrchestratorError, Problem, SkillFailed
from orchestrator.pool.backoff import UNLIMITED, Backoff, Delays
from orchestrator.pool.members import ARROWS, Member, SpecPool, State
from orchestrator.pool.waiter import Waiter, renewed
from orchestrator.pool.workers import Crew, Ticker

from .toys import DEADLINE, Task, Toy, Workshop, make_spec

DELAYS = Delays(1.0, 8.0)


@pytest.fixture
def member() -> Member:
    return Member(SpecPool(make_spec()), 0.0, 1)


class TestWaiter:
    def test_takes_what_it_is_given(self, member: Member) -> None:
        waiter = Waiter(0.0)
        task = Task(lambda: waiter.wait(DEADLINE))
        assert waiter.set(member, warm=False)
        assert task.result() is member

    def test_given_before_it_waits(self, member: Member) -> None:
        waiter = Waiter(0.0)
        assert waiter.set(member, warm=True)
        assert waiter.wait(0.0) is member

    def test_takes_only_one_thing(self, member: Member) -> None:
        waiter = Waiter(0.0)
        assert waiter.set(member, warm=False)
        assert not waiter.set(member, warm=False)
        assert not waiter.fail(OSError())

    def test_takes_nothing_after_its_time(self, member: Member) -> None:
        waiter = Waiter(0.0)
        assert waiter.wait(0.0) is None
        assert not waiter.set(member, warm=False)
        assert not waiter.fail(OSError())

    def test_takes_nothing_after_it_gave_up(self, member: Member) -> None:
        waiter = Waiter(0.0)
        waiter.give_up()
        assert not waiter.set(member, warm=False)

    def test_an_answer_beats_a_late_cancellation(self, member: Member) -> None:
        waiter = Waiter(0.0)
        waiter.set(member, warm=False)
        assert waiter.wait(DEADLINE, cancelled=lambda: True) is member

    def test_what_the_callback_raises_goes_through(self) -> None:
        waiter = Waiter(0.0)
        with pytest.raises(ZeroDivisionError):
            waiter.wait(DEADLINE, cancelled=lambda: bool(1 // 0))


@pytest.mark.parametrize(
    "error",
    [
        OrchestratorError("plain", hint="try again"),
        ManifestError("bad", (Problem("/name", "missing"),)),
        SkillFailed("failed", result={"status": "failed"}),
    ],
)
def test_renewed_errors_say_the_same(error: OrchestratorError) -> None:
    twin = renewed(error)
    assert twin is not error
    assert (type(twin), str(twin), vars(twin)) == (type(error), str(error), vars(error))
    assert twin.__traceback__ is None


class TestBackoff:
    def test_doubles_up_to_its_longest(self) -> None:
        backoff = Backoff(jitter=lambda: 1.0)
        pauses = []
        for now in range(100, 160, 10):
            backoff.failed(now, now, DELAYS)
            pauses.append(backoff.retry_at - now)
        assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]

    def test_jitter_shortens_to_half_at_most(self) -> None:
        backoff = Backoff(jitter=lambda: 0.0)
        backoff.failed(100.0, 100.0, DELAYS)
        assert backoff.retry_at == 100.5

    def test_failures_of_one_round_count_once(self) -> None:
        backoff = Backoff(jitter=lambda: 1.0)
        for now in (100.0, 100.1, 100.2):
            backoff.failed(now, 99.0, DELAYS)
        assert (backoff.rounds, backoff.retry_at) == (1, 101.0)

    def test_probes_one_at_a_time(self) -> None:
        backoff = Backoff(jitter=lambda: 1.0)
        assert backoff.startable(0.0, 5) == UNLIMITED
        backoff.failed(100.0, 100.0, DELAYS)
        assert [backoff.startable(now, 0) for now in (100.9, 101.0)] == [0, 1]
        assert backoff.startable(101.0, 1) == 0
        backoff.reset()
        assert backoff.startable(101.0, 1) == UNLIMITED


class TestStates:
    def test_there_is_no_way_back_from_leased(self) -> None:
        assert ARROWS[State.LEASED] == {State.REMOVING}
        assert ARROWS[State.REMOVING] == {State.GONE}
        assert ARROWS[State.GONE] == frozenset()

    @pytest.mark.parametrize("state", [State.WARM, State.CHECKING, State.LEASED, State.STARTING])
    def test_a_used_one_cannot_be_moved_elsewhere(self, member: Member, state: State) -> None:
        member.move(State.LEASED)
        with pytest.raises(RuntimeError, match="cannot go from LEASED"):
            member.move(state)
        assert member.pool.count[State.LEASED] == 1


def test_a_crew_survives_its_work_and_finishes_the_queue() -> None:
    done: list[int] = []

    def work(job: int) -> None:
        if job == 1:
            raise SystemExit("not a way out of a worker")
        done.append(job)

    crew: Crew[int] = Crew("pool-test", 1, work)
    for job in (1, 2, 3):
        crew.put(job)
    assert crew.stop(threading.TIMEOUT_MAX)
    assert done == [2, 3]
    assert not crew.threads[0].is_alive()


def test_a_ticker_survives_its_tick_and_rings() -> None:
    ticks = threading.Semaphore(0)

    def tick() -> float:
        ticks.release()
        if first:
            first.pop()
            raise ValueError("a bug")
        return 3600.0

    first = [True]
    ticker = Ticker("pool-test", tick)
    assert ticks.acquire(timeout=DEADLINE)
    ticker.ring()
    assert ticks.acquire(timeout=DEADLINE)
    assert ticker.stop(threading.TIMEOUT_MAX)


def test_toys_are_sandboxes() -> None:
    """The workshop's own promise, on which the other tests rely: destroying twice counts once."""
    workshop = Workshop()
    toy: Toy = workshop(make_spec())
    toy.destroy()
    toy.destroy()
    assert workshop.existing == 0
