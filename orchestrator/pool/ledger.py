"""``Ledger``: who has what. Every decision of the pool is made here, in memory, under the pool's one lock.

No threads, no I/O, no clock: callers hold the lock, pass the time, and carry out what ``decide`` (start these) and
``removals`` (destroy those) return. So no engine call can happen under the lock, and races are between whole methods.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

from orchestrator.errors import (
    EngineUnavailable,
    OperatorError,
    OrchestratorError,
    PoolSaturated,
    PostureError,
    SettingsError,
)
from orchestrator.pool.backoff import Backoff, Delays
from orchestrator.pool.contract import PoolSettings, Sandbox, SpecCeilings
from orchestrator.pool.members import Member, SpecPool, State
from orchestrator.pool.plan import Budget, plan
from orchestrator.pool.stats import Counters
from orchestrator.pool.waiter import Waiter, renewed
from orchestrator.sandbox.spec import SandboxSpec

LAST_ERROR_CHARACTERS = 500


class Ledger:
    def __init__(self, settings: PoolSettings, jitter: Callable[[], float] = random.random) -> None:
        self._settings = settings
        self._jitter = jitter
        self._pools: dict[SandboxSpec, SpecPool] = {}
        self._tickets = itertools.count(1)
        self._numbers = itertools.count(1)
        self._to_remove: list[Member] = []
        self.leased: set[Member] = set()
        self.unremoved: dict[Member, float] = {}  # those whose removal failed, and when it did first
        self.removal_error = ""  # why, the last time
        self.forgotten = Counters()  # the totals of specs whose books are gone
        self.engine = Backoff(jitter)
        self.engine_error: BaseException | None = None
        self.last_error = ""
        self.max_containers = settings.max_containers
        self.closed = False

    # what is there

    @property
    def pools(self) -> Iterator[SpecPool]:
        return iter(self._pools.values())

    def can_wait(self, member: Member) -> bool:
        """Whether nobody is the worse if ``member`` is made or removed a moment later: its spec has a warm one, and
        nobody waits."""
        return not self.closed and bool(member.pool.count[State.WARM]) and not any(pool.waiters for pool in self.pools)

    def count(self, *states: State) -> int:
        return sum(pool.count[state] for pool in self._pools.values() for state in states)

    def trouble(self, spec: SandboxSpec) -> BaseException | None:
        """Why sandboxes of ``spec`` cannot be created at present, if that is so."""
        pool = self._pools.get(spec)
        return self.engine_error or (pool.last_failure if pool else None)

    def short(self) -> list[SpecPool]:
        """The specs that have fewer warm sandboxes than their target."""
        return [pool for pool in self._pools.values() if pool.count[State.WARM] < pool.warm_target]

    def next_retry(self, now: float) -> float | None:
        """When the earliest back-off ends; None if none is in force."""
        backoffs = [self.engine, *(pool.backoff for pool in self._pools.values())]
        ends = (backoff.retry_at for backoff in backoffs if backoff.rounds)
        return min((end for end in ends if end > now), default=None)

    # what the operator wants

    def configure(self, spec: SandboxSpec, warm_target: int, ceilings: SpecCeilings | None = None) -> None:
        """Raises ``SettingsError`` when the warm targets together would exceed ``max_containers``."""
        if warm_target < 0:
            raise SettingsError(f"a warm target cannot be {warm_target}")
        others = sum(pool.warm_target for known, pool in self._pools.items() if known != spec)
        self._affordable(others + warm_target, self.max_containers)
        pool = self._pool_of(spec)
        pool.configured, pool.warm_target = True, warm_target
        if ceilings is not None:
            pool.ceilings = ceilings

    def set_max_containers(self, max_containers: int) -> None:
        if max_containers < 1:
            raise SettingsError(f"max_containers cannot be {max_containers}; at least 1")
        self._affordable(sum(pool.warm_target for pool in self._pools.values()), max_containers)
        self.max_containers = max_containers

    def _affordable(self, targets: int, max_containers: int) -> None:
        if targets > max_containers:
            raise SettingsError(
                f"the warm targets add up to {targets}, more than max_containers ({max_containers})",
                hint="raise max_containers or lower the policies' warm targets",
            )

    def drain(self, spec: SandboxSpec) -> None:
        """No warm ones of ``spec`` from now on: rule 1 of the plan retires those that are idle."""
        if (pool := self._pools.get(spec)) is not None:
            pool.warm_target, pool.configured = 0, False

    def retry_now(self) -> None:
        """Forget faults of configuration: the operator may have mended them."""
        for pool in self._pools.values():
            if pool.fault is not None:
                pool.fault = None
                pool.backoff.reset()

    def close(self) -> None:
        """Start nothing any more, retire what is idle."""
        self.closed = True
        for pool in self._pools.values():
            while pool.idle:
                self.retire(pool.idle[0])

    def withdraw_leases(self) -> int:
        """Send every leased member to removal, whatever it is doing; how many."""
        held = list(self.leased)
        for member in held:
            self.retire(member)
        return len(held)

    def let_go(self) -> None:
        """Drop every reference to a member, and do nothing to it: it is another process's."""
        for pool in self._pools.values():
            pool.idle.clear()
        self._pools.clear()
        self.leased.clear()
        self.unremoved.clear()
        self._to_remove.clear()

    # callers

    def ask(self, spec: SandboxSpec, waiter: Waiter, now: float, *, may_wait: bool = True) -> None:
        """Give ``waiter`` the oldest idle member (then CHECKING, to be confirmed or retired), or a place in the queue.

        Raises ``PoolSaturated``, and the remembered fault of configuration while it is no use to try again.
        """
        pool = self._pool_of(spec)
        if waiter.ticket < 0:
            waiter.ticket = next(self._tickets)
        while pool.idle:
            member = pool.idle[0]
            if member.expires > now:
                waiter.member = member
                self._take(member)
                return
            self._expire(member)  # the ticker is late
        if pool.fault is not None and now < pool.backoff.retry_at:
            raise renewed(pool.fault) from pool.fault
        if may_wait:
            self._refuse_a_crowd(pool)
            self._enqueue(pool, waiter)

    def _take(self, member: Member) -> None:
        member.pool.idle.remove(member)
        member.move(State.CHECKING)

    def _refuse_a_crowd(self, pool: SpecPool) -> None:
        waiting, most = sum(len(other.waiters) for other in self._pools.values()), self._settings.max_waiting
        if waiting >= most:
            pool.counters.saturated_total += 1
            raise PoolSaturated(f"{waiting} callers wait for a sandbox already (max_waiting is {most})")
        own, ceiling = len(pool.waiters), pool.ceilings.max_waiting
        if ceiling is not None and own >= ceiling:
            pool.counters.saturated_total += 1
            raise PoolSaturated(f"{own} callers wait for a {pool.spec.level} sandbox already (its ceiling: {ceiling})")

    def _enqueue(self, pool: SpecPool, waiter: Waiter) -> None:
        """At the end; one that was given a dead sandbox keeps the place it had."""
        position = len(pool.waiters)
        while position and pool.waiters[position - 1].ticket > waiter.ticket:
            position -= 1
        pool.waiters.insert(position, waiter)

    def confirm(self, member: Member) -> None:
        """The idle member a caller was given is alive: it is theirs."""
        self._lease(member, warm=True, waited=0.0)

    def dead(self, member: Member) -> None:
        member.pool.counters.dead_total += 1
        self.retire(member)

    def leave(self, spec: SandboxSpec, waiter: Waiter) -> None:
        """The caller stopped waiting; what it may have been given meanwhile goes to removal."""
        waiter.give_up()
        pool = self._pools.get(spec)
        if pool is not None and waiter in pool.waiters:
            pool.waiters.remove(waiter)
        if waiter.member is not None:
            self.retire(waiter.member)
            waiter.member = None

    def timed_out(self, spec: SandboxSpec) -> None:
        self._pool_of(spec).counters.timeouts_total += 1

    # members

    def arrived(self, member: Member, sandbox: Sandbox, now: float) -> None:
        """A creation ended well: to the first waiter that takes it, else warm."""
        member.sandbox = sandbox
        pool = member.pool
        pool.counters.created_total += 1
        self._engine_answers()
        pool.backoff.reset()
        pool.fault = pool.last_failure = None
        member.expires = now + self._settings.max_idle_seconds * (0.9 + 0.1 * self._jitter())
        self._offer(member, now, warm=False)

    def checked(self, member: Member, now: float) -> None:
        """An idle member was found alive by the periodic check."""
        self._offer(member, now, warm=True)

    def _offer(self, member: Member, now: float, *, warm: bool) -> None:
        if self.closed:
            self.retire(member)
            return
        pool = member.pool
        while pool.waiters:
            waiter = pool.waiters.popleft()
            if waiter.set(member, warm=warm):
                self._lease(member, warm=warm, waited=now - waiter.asked)
                return
        member.move(State.WARM)
        position = len(pool.idle)  # one that comes back from a check keeps its place
        while position and pool.idle[position - 1].number > member.number:
            position -= 1
        pool.idle.insert(position, member)

    def _lease(self, member: Member, *, warm: bool, waited: float) -> None:
        member.move(State.LEASED)
        self.leased.add(member)
        counters = member.pool.counters
        counters.leases_total += 1
        if warm:
            counters.leases_warm_total += 1
        else:
            counters.leases_cold_total += 1
            counters.wait_seconds_total += waited
            counters.wait_seconds_max = max(counters.wait_seconds_max, waited)

    def retire(self, member: Member) -> None:
        """To removal, from any state; nothing happens to one that is there already."""
        if member.state >= State.REMOVING:
            return
        if member.state is State.WARM:
            member.pool.idle.remove(member)
        self.leased.discard(member)
        member.move(State.REMOVING)
        self._to_remove.append(member)

    def _expire(self, member: Member) -> None:
        member.pool.counters.expired_total += 1
        self.retire(member)

    def expire(self, now: float) -> None:
        """Retire the idle members whose age is over."""
        for pool in self._pools.values():
            for member in [member for member in pool.idle if member.expires <= now]:
                self._expire(member)

    def inspect_next(self, seen: set[Member]) -> Member | None:
        """Take an idle member that is not in ``seen`` out for a check (then CHECKING)."""
        for pool in self._pools.values():
            for member in pool.idle:
                if member not in seen:
                    self._take(member)
                    return member
        return None

    def gone(self, member: Member) -> None:
        """Removed, or never begun."""
        if member.state is State.REMOVING:
            member.pool.counters.removed_total += 1
        self.unremoved.pop(member, None)
        member.move(State.GONE)

    def forget(self, now: float) -> None:
        """Drop the books of specs that nobody configured and of which nothing is left; their totals are kept."""
        for pool in [pool for pool in self._pools.values() if pool.forgettable(now)]:
            self.forgotten.add(pool.counters)
            del self._pools[pool.spec]

    def removal_failed(self, member: Member, error: BaseException, now: float) -> None:
        member.attempts += 1
        member.pool.counters.remove_failures_total += 1
        self.unremoved.setdefault(member, now)
        self._note(error)
        self.removal_error = self.last_error

    # failures

    def failed(self, member: Member, error: BaseException, now: float) -> None:
        """A creation failed and has left nothing behind. Whom it concerns depends on whose fault it was:

        * nothing answers: every spec; all waiters are told, creations pause and then probe one at a time;
        * a fault of configuration (``PostureError``, ``ImageError`` and other operator errors): this spec; its waiters
          are told, and so is everybody who asks until the next attempt, a good while later;
        * anything else may have been bad luck: this spec pauses; its waiters are told after some rounds.
        """
        pool = member.pool
        pool.counters.create_failures_total += 1
        self._note(error)
        member.move(State.GONE)
        settings = self._settings
        brief = Delays(settings.retry_seconds, settings.retry_max_seconds)
        if isinstance(error, EngineUnavailable):
            self.engine_error = error
            self.engine.failed(now, member.began, brief)
            for other in self._pools.values():
                self._tell(other, error)
            return
        if isinstance(error, OrchestratorError):
            self._engine_answers()
        pool.last_failure = error
        if isinstance(error, (PostureError, OperatorError)):
            pool.fault = error
            pause = settings.fault_retry_seconds
            pool.backoff.failed(now, member.began, Delays(pause, 10 * pause))
            self._tell(pool, error)
            return
        pool.backoff.failed(now, member.began, brief)
        if pool.backoff.rounds >= settings.attempts_before_failing:
            self._tell(pool, error)

    def _engine_answers(self) -> None:
        if self.engine.rounds:
            self.unremoved.clear()  # removals failed with it: what fails from now on has a reason of its own
        self.engine.reset()
        self.engine_error = None

    def tell_all(self, error: OrchestratorError) -> None:
        for pool in self._pools.values():
            self._tell(pool, error)

    def _tell(self, pool: SpecPool, error: BaseException) -> None:
        while pool.waiters:
            pool.waiters.popleft().fail(error)

    def _note(self, error: BaseException) -> None:
        self.last_error = f"{type(error).__name__}: {error}"[:LAST_ERROR_CHARACTERS]

    # the decision

    def decide(self, now: float) -> list[Member]:
        """Apply the plan to the books; the members to create now, outside the lock."""
        if self.closed:
            return []
        pools = list(self._pools.values())
        decision = plan([pool.demand(now) for pool in pools], self._budget(now))
        for index in decision.retire:
            pools[index].counters.retired_total += 1
            self.retire(pools[index].idle[0])
        return [Member(pools[index], now, next(self._numbers)) for index in decision.start]

    def removals(self) -> list[Member]:
        """The members to destroy now, outside the lock; each is named once."""
        removals, self._to_remove = self._to_remove, []
        return removals

    def _budget(self, now: float) -> Budget:
        starting = self.count(State.STARTING)
        workers = min(self._settings.create_workers, self.engine.startable(now, starting))
        return Budget(self.max_containers, workers, max(0, workers - starting))

    def _pool_of(self, spec: SandboxSpec) -> SpecPool:
        pool = self._pools.get(spec)
        if pool is None:
            pool = self._pools[spec] = SpecPool(spec)
        return pool
