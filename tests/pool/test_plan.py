"""``plan`` is pure, so its rules are tried on every small situation and on many large ones."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.pool.plan import NOTHING, Budget, Demand, Plan, plan


def demand(target: int = 0, waiting: Sequence[int] = (), **counts: int) -> Demand:
    figures = {"starting": 0, "warm": 0, "checking": 0, "leased": 0, "removing": 0, "startable": 99} | counts
    return Demand(target, tuple(waiting), **figures)


def budget(most: int, workers: int = 3, startable: int | None = None) -> Budget:
    return Budget(most, workers, workers if startable is None else startable)


def applied(demands: Sequence[Demand], decision: Plan) -> list[Demand]:
    after = list(demands)
    for index in decision.start:
        one = after[index]
        after[index] = one._replace(starting=one.starting + 1, startable=one.startable - 1)
    for index in decision.retire:
        one = after[index]
        after[index] = one._replace(warm=one.warm - 1, removing=one.removing + 1)
    return after


def spent(limits: Budget, decision: Plan) -> Budget:
    return limits._replace(startable=limits.startable - len(decision.start))


@pytest.mark.parametrize(
    ("demands", "limits", "expected"),
    [
        pytest.param([], budget(4), NOTHING, id="nobody asks"),
        pytest.param([demand(2)], budget(4), Plan((0, 0)), id="fill the target"),
        pytest.param([demand(4)], budget(4, workers=3), Plan((0, 0, 0)), id="no more at once than creators"),
        pytest.param([demand(4)], budget(2), Plan((0, 0)), id="no more than fit"),
        pytest.param([demand(2, starting=2)], budget(9), NOTHING, id="pending creations count"),
        pytest.param([demand(2, checking=1, warm=1)], budget(9), NOTHING, id="checked ones count"),
        pytest.param([demand(1, leased=1)], budget(9), Plan((0,)), id="a leased one is replaced"),
        pytest.param([demand(1, leased=1)], budget(1), NOTHING, id="but not beyond a budget of 1"),
        pytest.param([demand(1, removing=1)], budget(1), NOTHING, id="removals hold their room"),
        pytest.param([demand(0, [7], removing=1)], budget(1), NOTHING, id="even against waiters"),
        pytest.param([demand(0, [1, 2, 3], starting=1)], budget(9), Plan((0, 0)), id="one creation for each waiter"),
        pytest.param([demand(5), demand(0, [1])], budget(9, 1), Plan((1,)), id="waiters before targets"),
        pytest.param([demand(0, [2, 3]), demand(0, [1])], budget(9, 2), Plan((1, 0)), id="in order of arrival"),
        pytest.param(
            [demand(0, [1], startable=0), demand(0, [2])], budget(9, 1), Plan((1,)), id="past one backing off"
        ),
        pytest.param([demand(1), demand(3)], budget(9, 2), Plan((1, 1)), id="largest shortfall first"),
        pytest.param([demand(1, warm=3)], budget(9), Plan((), (0, 0)), id="surplus goes"),
        pytest.param([demand(3, warm=3)], budget(2), Plan((), (0,)), id="a smaller budget"),
        pytest.param([demand(3, warm=3, removing=1)], budget(3), NOTHING, id="removals under way make room"),
        pytest.param([demand(2, warm=2), demand(0, [1])], budget(2), Plan((), (0,)), id="evict for a waiter"),
        pytest.param(
            [demand(2, warm=1, removing=1), demand(0, [1])], budget(2), NOTHING, id="one eviction for one waiter"
        ),
        pytest.param([demand(1, warm=1), demand(3, warm=3), demand(0, [1])], budget(4), Plan((), (1,)), id="best off"),
        pytest.param([demand(2, warm=2), demand(0, [1], startable=0)], budget(2), NOTHING, id="not while backing off"),
        pytest.param([demand(2, warm=2), demand(0, [1])], budget(2, 0), NOTHING, id="not while the engine is away"),
        pytest.param(
            [demand(8, warm=8), demand(0, range(8))], budget(8, 3), Plan((), (0, 0, 0)), id="no more than creators"
        ),
    ],
)
def test_rule(demands: list[Demand], limits: Budget, expected: Plan) -> None:
    assert plan(demands, limits) == expected


def check(demands: list[Demand], limits: Budget) -> None:
    """What must hold in every situation whatsoever."""
    decision = plan(demands, limits)
    after = applied(demands, decision)
    existing = sum(one.everything for one in demands)
    assert not decision.start or existing + len(decision.start) <= limits.max_containers
    assert len(decision.start) <= limits.startable
    for index, (before, one) in enumerate(zip(demands, after, strict=True)):
        started, retired = decision.start.count(index), decision.retire.count(index)
        assert started <= max(0, before.want), "never more creations than are wanted"
        assert started <= before.startable
        assert retired <= max(0, before.warm - len(before.waiting)), "only idle ones are retired"
        assert one.warm <= one.warm_target + len(one.waiting), "no surplus stays"
    if decision.retire and existing <= limits.max_containers and not any(one.waiting for one in demands):
        assert all(demands[index].warm > demands[index].warm_target for index in decision.retire), "no needless one"
    assert plan(after, spent(limits, decision)) == NOTHING, "one answer is enough"


def test_every_small_situation() -> None:
    shapes = [
        demand(target, waiting, starting=starting, warm=warm, leased=leased, removing=removing, startable=startable)
        for target, waiting, starting, warm, leased, removing, startable in itertools.product(
            (0, 1, 2), ((), (5,)), (0, 1), (0, 1, 2), (0, 1), (0, 1), (0, 9)
        )
    ]
    partners = [demand(1, warm=1), demand(2, warm=2), demand(0, [3]), demand(1, [9], startable=1), demand(0, leased=1)]
    for one, other, most in itertools.product(shapes, partners, (1, 3, 5)):
        check([one, other], budget(most, 2, 1))


TICKETS = st.integers(0, 10**6)
SMALL = st.integers(0, 5)
DEMANDS = st.builds(
    Demand, SMALL, st.lists(TICKETS, max_size=6).map(lambda some: tuple(sorted(some))),
    SMALL, SMALL, SMALL, SMALL, SMALL, st.integers(0, 4),
)  # fmt: skip
BUDGETS = st.builds(
    lambda most, workers, busy: Budget(most, workers, max(0, workers - busy)),
    st.integers(1, 20), st.integers(0, 4), st.integers(0, 4),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(DEMANDS, max_size=4), BUDGETS)
def test_any_situation(demands: list[Demand], limits: Budget) -> None:
    check(demands, limits)


@settings(max_examples=150, deadline=None)
@given(st.lists(DEMANDS, min_size=1, max_size=4), BUDGETS, st.data())
def test_a_release_never_needs_a_new_plan(demands: list[Demand], limits: Budget, data: st.DataObject) -> None:
    """The pool relies on this: ``release`` does not decide, because what is being removed holds its room."""
    settled = applied(demands, decision := plan(demands, limits))
    index = data.draw(st.integers(0, len(demands) - 1))
    one = settled[index]
    if one.leased:
        settled[index] = one._replace(leased=one.leased - 1, removing=one.removing + 1)
    assert plan(settled, spent(limits, decision)) == NOTHING


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(SMALL, st.integers(0, 4)), min_size=1, max_size=4), st.integers(0, 8), st.integers(1, 4))
def test_everybody_is_served_in_the_end(specs: list[tuple[int, int]], spare: int, workers: int) -> None:
    """Creations and removals end, waiters take what arrives and release it: then nobody waits and targets are met."""
    targets = [target for target, _ in specs]
    limits = budget(sum(targets) + spare or 1, workers)
    ticket = itertools.count()
    demands = [demand(target, [next(ticket) for _ in range(waiting)]) for target, waiting in specs]
    for _ in range(200):
        decision = plan(demands, limits)
        demands = [step(one) for one in applied(demands, decision)]
    assert [one.warm for one in demands] == targets
    assert all(not one.waiting and not one.leased and not one.removing for one in demands)


def step(one: Demand) -> Demand:
    """Everything under way ends: removals, then runs, then creations (first to waiters, then warm)."""
    given = min(one.starting, len(one.waiting))
    return Demand(
        one.warm_target, one.waiting[given:], 0, one.warm + one.starting - given, 0, given, one.leased, one.startable
    )._replace(startable=99)
