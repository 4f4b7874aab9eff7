"""The life of one pool member and the books of one spec. Plain state: the ledger moves it, under the pool's lock.

::

    starting --> warm <--> checking --> leased --> removing --> gone
        |          |           |                      ^
        |          +-----------+----------------------+     dead, too old, surplus, evicted
        +-----> leased (handed to a waiter), removing (the pool closed meanwhile), gone (creation failed)

There is no arrow from leased but the one to removing: a sandbox that anybody has held is never handed out again.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import TYPE_CHECKING

from orchestrator.pool.backoff import Backoff
from orchestrator.pool.contract import Sandbox, SpecCeilings
from orchestrator.pool.plan import Demand
from orchestrator.pool.stats import Counters
from orchestrator.sandbox.spec import SandboxSpec

if TYPE_CHECKING:
    from orchestrator.pool.waiter import Waiter


class State(IntEnum):
    STARTING = 0
    WARM = 1
    CHECKING = 2
    LEASED = 3
    REMOVING = 4
    GONE = 5


ARROWS: dict[State, frozenset[State]] = {
    State.STARTING: frozenset({State.WARM, State.LEASED, State.REMOVING, State.GONE}),
    State.WARM: frozenset({State.CHECKING, State.REMOVING}),
    State.CHECKING: frozenset({State.WARM, State.LEASED, State.REMOVING}),
    State.LEASED: frozenset({State.REMOVING}),
    State.REMOVING: frozenset({State.GONE}),
    State.GONE: frozenset(),
}


class SpecPool:
    """All members, waiters and counters of one spec."""

    def __init__(self, spec: SandboxSpec) -> None:
        self.spec = spec
        self.digest = spec.digest()
        self.warm_target = 0
        self.ceilings = SpecCeilings()
        self.configured = False
        self.count = [0] * len(State)
        self.idle: deque[Member] = deque()  # the warm ones, oldest first
        self.waiters: deque[Waiter] = deque()  # by ticket
        self.backoff = Backoff()
        self.fault: BaseException | None = None  # of configuration: callers hear it at once until the next attempt
        self.last_failure: BaseException | None = None  # since the last success
        self.counters = Counters()

    def demand(self, now: float) -> Demand:
        count = self.count
        return Demand(
            self.warm_target,
            tuple(waiter.ticket for waiter in self.waiters) if self.waiters else (),
            count[State.STARTING],
            count[State.WARM],
            count[State.CHECKING],
            count[State.LEASED],
            count[State.REMOVING],
            self._startable(now),
        )

    def _startable(self, now: float) -> int:
        may, most = self.backoff.startable(now, self.count[State.STARTING]), self.ceilings.max_containers
        return may if most is None else max(0, min(may, most - self.existing))

    @property
    def existing(self) -> int:
        return sum(self.count[: State.GONE])

    def forgettable(self, now: float) -> bool:
        """Whether nothing is lost with these books: not configured, nothing of it left, no back-off running."""
        pausing = self.backoff.rounds and now < self.backoff.retry_at
        return not (self.configured or self.waiters or self.existing or pausing)


class Member:
    """One sandbox, from the decision to start it until it is gone."""

    __slots__ = ("attempts", "began", "expires", "number", "pool", "sandbox", "state")

    def __init__(self, pool: SpecPool, now: float, number: int) -> None:
        self.pool = pool
        self.state = State.STARTING
        pool.count[State.STARTING] += 1
        self.began = now
        self.number = number  # in the order of beginning
        self.expires = float("inf")  # set when it becomes warm
        self.sandbox: Sandbox | None = None
        self.attempts = 0  # failed removals

    def move(self, state: State) -> None:
        """Follow an arrow; ``RuntimeError`` where there is none (a bug of ours, never silently passed over)."""
        if state not in ARROWS[self.state]:
            raise RuntimeError(f"a pool member cannot go from {self.state.name} to {state.name}")
        self.pool.count[self.state] -= 1
        self.pool.count[state] += 1
        self.state = state
