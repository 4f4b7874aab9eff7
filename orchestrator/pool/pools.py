"""``WarmPools``: sandboxes that are ready before anybody asks. One pool for each spec, one budget for all.

Theory of operation. The ``Ledger`` holds the state and decides; it is only touched under the one lock, and nothing
that can block happens under that lock. What it decides is put on queues and carried out by threads: creators, removers
(of their own, so creations never starve them) and a ticker for whatever depends on time. Callers change the books and
leave: a warm lease is two short critical sections, a release is one.

A sandbox is made, leased once and destroyed. See ``members`` for its states, ``plan`` for what is started when, and
``Ledger.failed`` for who hears of a failed creation.

Fork: in a forked child the pool is closed; the parent's sandboxes are neither used nor destroyed by it.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from threading import Condition, Lock
from types import TracebackType
from typing import Generic, cast

from loguru import logger

from orchestrator import forks
from orchestrator.errors import EngineError, OrchestratorError, PoolClosed, PoolTimeout
from orchestrator.pool.backoff import Backoff, Delays
from orchestrator.pool.contract import Maker, PoolSettings, S, Sandbox, SpecCeilings
from orchestrator.pool.lease import Lease
from orchestrator.pool.ledger import Ledger
from orchestrator.pool.members import Member, State
from orchestrator.pool.report import report
from orchestrator.pool.stats import PoolStats
from orchestrator.pool.troubles import Trouble, Troubles
from orchestrator.pool.waiter import Waiter, renewed
from orchestrator.pool.workers import Crew, Ticker
from orchestrator.sandbox.spec import SandboxSpec

CLOSED = "the pool is closed"
FORKED = "this process was forked from the one that owns the pool; make a pool of its own here"


def _nobody(trouble: Trouble) -> None:
    pass


class WarmPools(Generic[S]):
    """Thread-safe. Its threads start here and end in ``close``: use it as a context manager, or close it.

    ``make`` is called on several threads at once. ``clock`` is for ages, back-offs and reported waits; how long a
    caller really waits always goes by the monotonic clock.
    """

    def __init__(
        self, make: Maker[S], *, budget: PoolSettings | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = budget or PoolSettings()
        self._make = make
        self._clock = clock
        self._lock = Lock()
        self._changed = Condition(self._lock)  # notified after every change of the books, if anybody watches
        self._watching = 0
        self._closing = Lock()  # one close() at a time
        self._refusal = ""  # why nothing is leased any more; "" while open
        self._ended = False
        self._ledger = Ledger(self._settings)
        self._troubles = Troubles()
        self.tell: Callable[[Trouble], None] = _nobody  # on the ticker, without the lock; must neither wait nor raise
        self._repeats: list[tuple[float, int, Member]] = []  # heap: when to try a failed removal again
        self._order = itertools.count()
        self._next_check = clock() + self._settings.check_seconds
        self._released_at = 0.0  # monotonic; when a lease ended last
        self._creators = Crew("pool-create", self._settings.create_workers, self._create)
        self._removers = Crew("pool-remove", self._settings.remove_workers, self._remove)
        self._ticker = Ticker("pool-tick", self.tick)
        forks.watch(self)

    # the operator's side

    def configure(self, spec: SandboxSpec, warm_target: int, ceilings: SpecCeilings | None = None) -> None:
        """Keep ``warm_target`` idle sandboxes of ``spec`` from now on. Returns at once; ``prime`` waits for them.
        ``ceilings`` bound what it may take of the shared budget (None: as before).

        Raises ``SettingsError`` when the targets together exceed ``max_containers``.
        """
        with self._lock:
            self._check_open()
            self._ledger.configure(spec, warm_target, ceilings)
            self._act()

    def resize(
        self, spec: SandboxSpec | None = None, warm_target: int | None = None, *, max_containers: int | None = None
    ) -> None:
        """Change a spec's warm target, the shared budget, or both. What is then too much is retired if idle.

        Leased sandboxes are never touched: a smaller budget is reached as they end. Raises as ``configure``.
        """
        if (spec is None) != (warm_target is None):
            raise ValueError("resize takes a spec and its warm_target together")
        with self._lock:
            self._check_open()
            if max_containers is not None:
                self._ledger.set_max_containers(max_containers)
            if spec is not None and warm_target is not None:
                self._ledger.configure(spec, warm_target)
            self._act()

    def drain(self, spec: SandboxSpec) -> None:
        """Retire the idle sandboxes of a spec no longer used. Leased ones finish; who waits for one still gets one."""
        with self._lock:
            self._check_open()
            self._ledger.drain(spec)
            self._act()

    def prime(self, timeout: float) -> None:
        """Wait until every spec has its warm target.

        Raises ``PoolTimeout`` after ``timeout`` seconds, naming what is missing, with the last failure as its cause;
        a fault of configuration (``PostureError``, ``OperatorError``) at once, since waiting would not mend it.
        """
        deadline = time.monotonic() + timeout
        with self._lock:
            self._ledger.retry_now()
            while True:
                self._check_open()
                self._act()
                short = self._ledger.short()
                if not short:
                    return
                for pool in short:
                    if pool.fault is not None:
                        raise renewed(pool.fault) from pool.fault
                if (left := deadline - time.monotonic()) <= 0:
                    missing = "; ".join(f"{p.spec.level}: {p.count[State.WARM]} of {p.warm_target} warm" for p in short)
                    raise self._timeout(f"the pool was not warm within {timeout:g} s ({missing}", short[0].spec)
                self._watch(left)

    def stats(self) -> PoolStats:
        """A consistent snapshot. See ``PoolStats`` for the names."""
        with self._lock:
            return self._report()

    def _report(self) -> PoolStats:
        return report(self._ledger, self._settings, repeating=bool(self._repeats))

    def wait_until(self, predicate: Callable[[PoolStats], bool], timeout: float) -> PoolStats:
        """Wait until ``predicate(stats)`` is true; those stats. For tests and operators, not for serving.

        ``predicate`` is called under the pool's lock: it must only look. Raises ``PoolTimeout`` after ``timeout`` s.
        """
        deadline = time.monotonic() + timeout
        with self._lock:
            while not predicate(stats := self._report()):
                if (left := deadline - time.monotonic()) <= 0:
                    raise PoolTimeout(f"the pool did not come to the expected state within {timeout:g} s: {stats}")
                self._watch(left)
            return stats

    # the caller's side

    def lease(
        self, spec: SandboxSpec, *, timeout: float | None = None, cancelled: Callable[[], bool] | None = None
    ) -> Lease[S]:
        """A sandbox of ``spec``, for this caller alone: at once if one is warm, else in order of arrival.

        ``timeout`` (seconds; default ``acquire_timeout_seconds``; 0 = only if warm); ``cancelled`` is asked about every
        50 ms of waiting. Raises ``PoolTimeout`` (the present trouble as its cause), ``PoolSaturated``, ``PoolClosed``,
        ``LeaseCancelled``; and, when no sandbox can be created, an error of the same class as the one that says why
        (``EngineUnavailable``, ``PostureError``, ``ImageError``, ...), with that one as its cause.
        """
        patience = self._settings.acquire_timeout_seconds if timeout is None else timeout
        waiter = Waiter(self._clock())
        try:
            member = self._acquire(spec, waiter, patience, cancelled)
            waited = 0.0 if waiter.warm else max(0.0, self._clock() - waiter.asked)
            sandbox = cast(S, member.sandbox)  # every member that is leased has one, and ``make`` made it
            return Lease(
                member,
                sandbox,
                warm=waiter.warm,
                waited_seconds=waited,
                release=self._release,
                abandon=self._removers.put,
            )
        except BaseException:  # KeyboardInterrupt too: nothing may be left that belongs to nobody
            self._leave(spec, waiter)
            raise

    def _acquire(
        self, spec: SandboxSpec, waiter: Waiter, patience: float, cancelled: Callable[[], bool] | None
    ) -> Member:
        deadline = time.monotonic() + patience
        while True:
            if self._refusal:
                raise PoolClosed(self._refusal)
            with self._lock:
                self._check_open()
                self._ledger.ask(spec, waiter, self._clock(), may_wait=patience > 0)
                member = waiter.member
                if member is None:
                    self._act()
            if member is None:
                return self._handed_over(spec, waiter, deadline, patience, cancelled)
            alive = self._holds(member, lambda sandbox: sandbox.alive())
            with self._lock:
                if alive and not self._refusal:
                    self._ledger.confirm(member)
                    waiter.warm = True
                    self._act()  # starts its replacement
                    return member
                waiter.member = None
                self._bury(member, alive=alive)

    def _handed_over(
        self,
        spec: SandboxSpec,
        waiter: Waiter,
        deadline: float,
        patience: float,
        cancelled: Callable[[], bool] | None,
    ) -> Member:
        member = waiter.wait(max(0.0, deadline - time.monotonic()), cancelled)
        if member is not None:
            return member
        with self._lock:
            self._ledger.timed_out(spec)
            raise self._timeout(f"no sandbox of level {spec.level} within {patience:g} s (", spec)

    def _leave(self, spec: SandboxSpec, waiter: Waiter) -> None:
        if self._refusal == FORKED:
            return
        with self._lock:
            self._ledger.leave(spec, waiter)
            self._act()

    def _release(self, member: Member) -> None:
        if self._refusal == FORKED:
            return
        with self._lock:
            self._released_at = time.monotonic()
            self._ledger.retire(member)
            self._hand_out(self._ledger.removals())  # no need to decide: what is being removed holds its room still

    def _timeout(self, start: str, spec: SandboxSpec) -> PoolTimeout:
        """Called under the lock. ``start`` ends inside an open parenthesis."""
        count = self._ledger.count
        busy = ", ".join(f"{count(state)} {state.name.lower()}" for state in State if state is not State.GONE)
        trouble = self._ledger.trouble(spec)
        reason = f"; last failure: {type(trouble).__name__}: {trouble}" if trouble else ""
        error = PoolTimeout(f"{start}{busy}, of at most {self._ledger.max_containers}{reason})")
        error.__cause__ = trouble
        return error

    # under the lock

    def _check_open(self) -> None:
        if self._refusal:
            raise PoolClosed(self._refusal)

    def _act(self) -> None:
        """Decide, and put what is to be done on the queues (which never block)."""
        for member in self._ledger.decide(self._clock()):
            self._creators.put(member)
        self._hand_out(self._ledger.removals())

    def _hand_out(self, removals: list[Member]) -> None:
        for member in removals:
            self._removers.put(member)
        self._notify()

    def _notify(self) -> None:
        if self._watching:
            self._changed.notify_all()

    def _watch(self, timeout: float) -> None:
        """Wait for the next change of the books, at most ``timeout`` seconds."""
        self._watching += 1
        try:
            self._changed.wait(timeout)
        finally:
            self._watching -= 1

    def _bury(self, member: Member, *, alive: bool) -> None:
        if alive:
            self._ledger.retire(member)
        else:
            self._ledger.dead(member)
        self._act()

    # on the workers

    def _hold_back(self, member: Member, seconds: float) -> None:
        """Let a run that has just begun have the processors: with its replacement made beside it, it takes half as
        long again (2 cores: p50 7.5 against 5.1 ms). And one that has returned its sandbox, until it is on record: with
        the engine and our own threads at work, that took 5 ms instead of 1. Only while nobody is the worse for it."""
        deadline = time.monotonic() + seconds
        with self._lock:
            while self._ledger.can_wait(member) and (left := self._quiet_until(deadline) - time.monotonic()) > 0:
                self._watch(left)

    def _quiet_until(self, deadline: float) -> float:
        return deadline if self._ledger.leased else min(deadline, self._released_at + self._settings.linger_seconds)

    def _create(self, member: Member) -> None:
        self._hold_back(member, self._settings.hold_back_seconds)
        if self._refusal:
            with self._lock:
                self._ledger.gone(member)
                self._act()
            return
        try:
            sandbox = self._make(member.pool.spec)
        except BaseException as error:  # noqa: BLE001 - whatever it was, the books must say that this creation is over
            self._log_failure(member, error)
            with self._lock:
                self._ledger.failed(member, error, self._clock())
                self._act()
            self._ticker.ring()
        else:
            with self._lock:
                self._ledger.arrived(member, sandbox, self._clock())
                self._act()

    def _log_failure(self, member: Member, error: BaseException) -> None:
        expected = isinstance(error, OrchestratorError)
        level = member.pool.spec.level
        logger.opt(exception=None if expected else error).warning(
            "creating a sandbox of level {} failed: {!r}", level, error
        )

    def _remove(self, member: Member) -> None:
        if member.state is State.LEASED:
            logger.warning("a lease was dropped without release; its sandbox is removed now")
            self._release(member)
            return
        self._hold_back(member, self._settings.linger_seconds)
        try:
            if member.sandbox is not None:
                member.sandbox.destroy()
        except BaseException as error:  # noqa: BLE001 - a removal is repeated until it succeeds, whatever happened
            logger.warning("removing a sandbox failed and will be repeated: {!r}", error)
            with self._lock:
                self._ledger.removal_failed(member, error, self._clock())
                heapq.heappush(self._repeats, (self._repeat_at(member), next(self._order), member))
                self._notify()
            self._ticker.ring()
        else:
            with self._lock:
                self._ledger.gone(member)
                self._act()

    def _repeat_at(self, member: Member) -> float:
        backoff = Backoff()
        backoff.rounds = member.attempts - 1
        now = self._clock()
        backoff.failed(now, now + 1.0, Delays(self._settings.retry_seconds, self._settings.retry_max_seconds))
        return backoff.retry_at

    # on the ticker

    def tick(self) -> float:
        """Do what is due by the clock; seconds until something is due again. For tests with a clock of their own."""
        now = self._clock()
        with self._lock:
            while self._repeats and self._repeats[0][0] <= now:
                self._removers.put(heapq.heappop(self._repeats)[2])
            self._ledger.expire(now)
            self._ledger.forget(now)
            self._act()
            changes = self._troubles.changes(self._ledger, self._settings, now)
        for trouble in changes:
            self._told(trouble)
        if now >= self._next_check:
            self._next_check = now + self._settings.check_seconds
            self._check_idle()
        with self._lock:
            due = [self._next_check, self._ledger.next_retry(now), self._repeats[0][0] if self._repeats else None]
        return max(0.0, min(time for time in due if time is not None) - self._clock())

    def _told(self, trouble: Trouble) -> None:
        logger.log("INFO" if trouble.over else "ERROR", "the pool: {}", trouble.message)
        self.tell(trouble)

    def _check_idle(self) -> None:
        """Ask each idle sandbox once for an answer. It is taken out for that, so nobody can lease it meanwhile."""
        seen: set[Member] = set()
        while True:
            with self._lock:
                member = self._ledger.inspect_next(seen)
            if member is None:
                return
            seen.add(member)
            alive = self._holds(member, lambda sandbox: sandbox.answers())
            with self._lock:
                if alive:
                    self._ledger.checked(member, self._clock())
                    self._act()
                else:
                    self._bury(member, alive=False)

    def _holds(self, member: Member, test: Callable[[Sandbox], bool]) -> bool:
        try:
            return member.sandbox is not None and test(member.sandbox)
        except Exception as error:  # noqa: BLE001 - a sandbox that cannot be asked is a dead one
            logger.warning("asking a sandbox whether it is alive failed: {!r}", error)
            return False

    # the end

    def close(self, timeout: float = 30.0) -> None:
        """Refuse new leases, wait up to ``timeout`` seconds for the current ones, then destroy everything.

        Afterwards no sandbox and no thread of this pool is left; destroying is given ``removal_grace_seconds``, and
        ``EngineError`` says so if that was not enough. Who waits for a sandbox gets ``PoolClosed``. A second call does
        nothing (while a first is under way, it waits for it), nor does a call in a forked child.
        """
        if self._refusal == FORKED:
            return
        with self._closing:
            if self._ended:
                return
            self._refuse()
            self._wait_until_none(timeout, State.LEASED, State.CHECKING)
            with self._lock:
                if held := self._ledger.withdraw_leases():
                    logger.warning("closing the pool: {} leases were not released within {} s", held, timeout)
                self._act()
            deadline = time.monotonic() + self._settings.removal_grace_seconds
            left = self._wait_until_none(self._settings.removal_grace_seconds, *list(State)[: State.GONE])
            self._end(left, deadline + 1.0)

    def _refuse(self) -> None:
        with self._lock:
            self._refusal = CLOSED
            self._ledger.close()
            self._ledger.tell_all(PoolClosed(CLOSED))
            self._act()

    def _wait_until_none(self, timeout: float, *states: State) -> int:
        """How many members are still in ``states`` after at most ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        with self._lock:
            while (count := self._ledger.count(*states)) and (left := deadline - time.monotonic()) > 0:
                self._watch(left)
            return count

    def _end(self, left: int, deadline: float) -> None:
        joined = [self._creators.stop(deadline), self._removers.stop(deadline), self._ticker.stop(deadline)]
        self._ended = True
        if left or not all(joined):
            last = self._ledger.last_error
            raise EngineError(
                f"the pool closed, but {left} sandboxes may still exist" + (f"; last failure: {last}" if last else ""),
                hint="`orchestrator cleanup` removes what is left once this process has ended",
            )

    def __enter__(self) -> WarmPools[S]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def after_fork_in_child(self) -> None:
        """Called by ``forks``, in the child's only thread. The parent's threads and locks mean nothing here.

        The books are dropped, so that this process's copies of the sandboxes' sockets close: as long as one is open
        here, a sandbox would not notice the parent's death. (A lease that the child holds on to keeps its own open.)
        """
        self._refusal = FORKED
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._closing = Lock()
        self._ledger.let_go()
        self._ledger = Ledger(self._settings)
        self._ledger.closed = True
        self._repeats = []
