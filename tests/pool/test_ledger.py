"""Any order of events leaves the books in order: a state machine drives the ``Ledger`` without threads or time."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.errors import EngineUnavailable, PoolSaturated, PostureError, SandboxError, SettingsError
from orchestrator.pool.contract import PoolSettings
from orchestrator.pool.ledger import Ledger
from orchestrator.pool.members import Member, State
from orchestrator.pool.waiter import Waiter

from .toys import Toy, Workshop, make_spec

SPECS = [make_spec("standard"), make_spec("strict"), make_spec("relaxed")]
ERRORS = [EngineUnavailable("away"), SandboxError("silent"), PostureError("seccomp is off")]
MOST, CREATORS, QUEUE = 5, 2, 4
INDEX = st.integers(0, 50)


class Books(RuleBasedStateMachine):
    """Plays callers, creators, removers and the clock. What it knows by itself is compared with the ledger's counts."""

    def __init__(self) -> None:
        super().__init__()
        budget = PoolSettings(max_containers=MOST, create_workers=CREATORS, max_waiting=QUEUE, max_idle_seconds=300.0)
        self.ledger = Ledger(budget, jitter=lambda: 1.0)
        self.workshop = Workshop()
        self.now = 1000.0
        self.faulty = [False] * len(SPECS)
        self.creating: list[Member] = []
        self.checking: list[Member] = []
        self.held: list[Member] = []
        self.removing: list[Member] = []
        self.waiters: list[tuple[int, Waiter]] = []
        self.ever_held: set[Member] = set()

    def act(self) -> None:
        started = self.ledger.decide(self.now)
        assert not (set(started) & set(self.creating))
        self.creating += started
        removals = self.ledger.removals()
        assert not (set(removals) & set(self.removing)), "removed twice"
        self.removing += removals
        for place, (number, waiter) in reversed(list(enumerate(self.waiters))):
            if waiter.member is not None or waiter.error is not None:
                del self.waiters[place]
            if waiter.member is not None:
                assert waiter.member.pool.spec == SPECS[number]
                self.hold(waiter.member)

    def hold(self, member: Member) -> None:
        assert member not in self.ever_held, "handed out twice"
        assert member.state is State.LEASED
        self.ever_held.add(member)
        self.held.append(member)

    @rule(number=st.integers(0, 2), warm=st.integers(0, 3))
    def configure(self, number: int, warm: int) -> None:
        try:
            self.ledger.configure(SPECS[number], warm)
        except SettingsError:
            return
        self.act()

    @rule(number=st.integers(0, 2))
    def drain(self, number: int) -> None:
        self.ledger.drain(SPECS[number])
        self.act()

    @rule(number=st.integers(0, 2))
    def ask(self, number: int) -> None:
        waiter = Waiter(self.now)
        try:
            self.ledger.ask(SPECS[number], waiter, self.now)
        except PoolSaturated:
            assert len(self.waiters) == QUEUE
        except PostureError:
            assert self.faulty[number], "told of a fault that nobody had"
        else:
            if waiter.member is None:
                self.waiters.append((number, waiter))
            else:
                self.checking.append(waiter.member)
        self.act()

    @precondition(lambda self: self.checking)
    @rule(index=INDEX, alive=st.booleans())
    def check_at_hand_out(self, index: int, alive: bool) -> None:
        member = self.checking.pop(index % len(self.checking))
        if alive:
            self.ledger.confirm(member)
            self.hold(member)
        else:
            self.ledger.dead(member)
        self.act()

    @rule(alive=st.booleans())
    def check_an_idle_one(self, alive: bool) -> None:
        member = self.ledger.inspect_next(set())
        if member is not None:
            (self.ledger.checked if alive else lambda member, _: self.ledger.dead(member))(member, self.now)
        self.act()

    @precondition(lambda self: self.waiters)
    @rule(index=INDEX)
    def stop_waiting(self, index: int) -> None:
        number, waiter = self.waiters.pop(index % len(self.waiters))
        self.ledger.leave(SPECS[number], waiter)
        self.act()

    @precondition(lambda self: self.creating)
    @rule(index=INDEX)
    def creation_ends(self, index: int) -> None:
        member = self.creating.pop(index % len(self.creating))
        self.ledger.arrived(member, Toy(member.number, member.pool.spec, self.workshop), self.now)
        self.act()

    @precondition(lambda self: self.creating)
    @rule(index=INDEX, error=st.sampled_from(ERRORS))
    def creation_fails(self, index: int, error: Exception) -> None:
        member = self.creating.pop(index % len(self.creating))
        self.faulty[SPECS.index(member.pool.spec)] |= isinstance(error, PostureError)
        self.ledger.failed(member, error, self.now)
        self.act()

    @precondition(lambda self: self.held)
    @rule(index=INDEX)
    def release(self, index: int) -> None:
        member = self.held.pop(index % len(self.held))
        self.ledger.retire(member)
        self.removing += self.ledger.removals()

    @precondition(lambda self: self.removing)
    @rule(index=INDEX)
    def removal_ends(self, index: int) -> None:
        self.ledger.gone(self.removing.pop(index % len(self.removing)))
        self.act()

    @rule(seconds=st.sampled_from([0.1, 1.0, 100.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.ledger.expire(self.now)
        self.ledger.forget(self.now)
        self.act()

    @invariant()
    def the_books_agree_with_what_is_there(self) -> None:
        count = self.ledger.count
        assert count(State.STARTING) == len(self.creating) <= CREATORS
        assert count(State.CHECKING) == len(self.checking)
        assert count(State.LEASED) == len(self.held) == len(self.ledger.leased)
        assert count(State.REMOVING) == len(self.removing)
        assert sum(len(pool.waiters) for pool in self.ledger.pools) == len(self.waiters)
        assert count(*list(State)[: State.GONE]) <= MOST

    @invariant()
    def nobody_waits_beside_an_idle_sandbox(self) -> None:
        for pool in self.ledger.pools:
            assert len(pool.idle) == pool.count[State.WARM] <= pool.warm_target
            assert not (pool.idle and pool.waiters)
            tickets = [waiter.ticket for waiter in pool.waiters]
            assert tickets == sorted(tickets)


Books.TestCase.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
TestBooks = Books.TestCase


def ledger_with(warm: int) -> tuple[Ledger, list[Member]]:
    """A ledger whose standard spec has ``warm`` idle members."""
    ledger = Ledger(PoolSettings())
    ledger.configure(SPECS[0], warm)
    members = ledger.decide(0.0)
    for member in members:
        ledger.arrived(member, Toy(member.number, SPECS[0], Workshop()), 0.0)
    return ledger, members


def test_a_waiter_whose_time_is_just_over_gets_nothing_and_the_next_one_does() -> None:
    ledger, _ = ledger_with(warm=0)
    late, patient = Waiter(0.0), Waiter(0.0)
    for waiter in (late, patient):
        ledger.ask(SPECS[0], waiter, 0.0)
    member, other = ledger.decide(0.0)
    late.give_up()  # its thread has noticed, but does not have the lock yet
    ledger.arrived(member, Toy(1, SPECS[0], Workshop()), 1.0)
    assert late.member is None
    assert patient.member is member
    ledger.arrived(other, Toy(2, SPECS[0], Workshop()), 1.0)
    assert other.state is State.WARM


def test_who_was_given_a_dead_one_keeps_the_place_in_the_queue() -> None:
    ledger, [member] = ledger_with(warm=1)
    first, second, third = Waiter(0.0), Waiter(0.0), Waiter(0.0)
    ledger.ask(SPECS[0], first, 0.0)
    ledger.ask(SPECS[0], second, 0.0)
    assert first.member is member
    first.member = None
    ledger.dead(member)
    ledger.ask(SPECS[0], first, 0.0)
    ledger.ask(SPECS[0], third, 0.0)
    [pool] = ledger.pools
    assert list(pool.waiters) == [first, second, third]


def test_one_failed_creation_tells_everybody_that_the_engine_is_away() -> None:
    ledger = Ledger(PoolSettings(create_workers=1))
    waiters = [Waiter(0.0) for _ in SPECS]
    for spec, waiter in zip(SPECS, waiters, strict=True):
        ledger.ask(spec, waiter, 0.0)
    [member] = ledger.decide(0.0)
    ledger.failed(member, ERRORS[0], 1.0)
    assert [waiter.error for waiter in waiters] == [ERRORS[0]] * len(SPECS)
    assert ledger.decide(1.0) == []


def test_who_leaves_with_a_sandbox_in_hand_leaves_it_to_removal() -> None:
    ledger, [member] = ledger_with(warm=1)
    waiter = Waiter(0.0)
    ledger.ask(SPECS[0], waiter, 0.0)
    ledger.leave(SPECS[0], waiter)
    assert member.state is State.REMOVING
    assert ledger.removals() == [member]
