"""What a pool tells of: not one failure, but what lasts; once, and once more when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

import pytest

from orchestrator.errors import EngineError, EngineUnavailable, ImageError, PoolTimeout, SandboxError
from orchestrator.pool import PoolSettings, Trouble, WarmPools
from orchestrator.pool.ledger import Ledger
from orchestrator.pool.members import Member
from orchestrator.pool.troubles import LASTS_SECONDS, QUIET_SECONDS, Troubles
from orchestrator.testing import FakeEngine

from .test_with_engine import FAST, SPEC, pool_over
from .toys import DEADLINE, Clock, Toy, Workshop, make_spec

Opener = Callable[..., WarmPools[Toy]]
STANDARD, STRICT = make_spec("standard"), make_spec("strict")
AWAY = EngineUnavailable("nothing answers")
REFUSED = EngineError("no space left on the disk \x1b[2J")
START = 1000.0  # no clock begins at nought
STEP = 6.0  # seconds; longer than any pause of the back-off, so that each step is an attempt


class Shop:
    """A ledger without threads: whatever it wants made fails as ``faults`` say by level, or is made."""

    def __init__(self, *configured: str) -> None:
        self.settings = PoolSettings()
        self.ledger = Ledger(self.settings)
        self.troubles = Troubles()
        self.now = START
        self.faults: dict[str, Exception] = {}
        for level in configured:
            self.ledger.configure(make_spec(level), 1)

    def attempt(self) -> list[Trouble]:
        """Make what is due; what is to be told then."""
        for member in self.ledger.decide(self.now):
            fault = self.faults.get(member.pool.spec.level)
            if fault is None:
                self.arrive(member)
            else:
                self.ledger.failed(member, fault, self.now)
        return self.told()

    def arrive(self, member: Member) -> None:
        self.ledger.arrived(member, Toy(member.number, member.pool.spec, Workshop()), self.now)

    def told(self) -> list[Trouble]:
        return self.troubles.changes(self.ledger, self.settings, self.now)

    def steps(self, seconds: float) -> list[tuple[float, Trouble]]:
        """Attempts for so long; what is told, and when."""
        end, found = self.now + seconds, []
        while self.now < end:
            self.now += STEP
            found += [(self.now, trouble) for trouble in self.attempt()]
        return found

    def spend(self) -> None:
        """The idle ones are dead, so that others have to be made."""
        while (member := self.ledger.inspect_next(set())) is not None:
            self.ledger.dead(member)
        for member in self.ledger.removals():
            self.ledger.gone(member)


@pytest.mark.parametrize(
    ("fault", "rule"), [(AWAY, "engine"), (REFUSED, "creations standard"), (KeyError("Id"), "creations standard")]
)
def test_what_fails_for_a_minute_is_told_once_and_its_end_once(fault: Exception, rule: str) -> None:
    shop = Shop("standard")
    shop.faults["standard"] = fault
    assert shop.attempt() == []
    [(at, trouble)] = shop.steps(3600.0)
    assert (trouble.rule, trouble.over) == (rule, False)
    assert LASTS_SECONDS <= at - START < LASTS_SECONDS + 2 * STEP
    assert type(fault).__name__ in trouble.message
    assert trouble.message.isprintable()
    shop.faults.clear()
    mended = shop.now + STEP
    [(at, trouble)] = shop.steps(3600.0)
    assert (trouble.rule, trouble.over) == (rule, True)
    assert mended + QUIET_SECONDS - STEP <= at <= mended + QUIET_SECONDS + STEP


def test_an_engine_that_is_restarted_is_nothing_to_tell() -> None:
    shop = Shop("standard", "strict")
    shop.faults = dict.fromkeys(("standard", "strict"), AWAY)
    shop.attempt()
    assert shop.steps(LASTS_SECONDS - 2 * STEP) == []
    shop.faults.clear()
    assert shop.steps(3600.0) == []


def test_an_engine_that_is_away_is_one_trouble_whatever_the_levels() -> None:
    shop = Shop("standard", "strict", "relaxed")
    shop.faults = dict.fromkeys(("standard", "strict", "relaxed"), AWAY)
    assert [trouble.rule for _, trouble in shop.steps(600.0)] == ["engine"]


def test_failures_with_successes_in_between_are_bad_luck() -> None:
    shop = Shop("standard")
    for _ in range(100):
        shop.faults["standard"] = REFUSED
        shop.now += STEP
        assert shop.attempt() == []
        shop.faults.clear()
        shop.now += STEP
        assert shop.attempt() == []
        shop.spend()


def test_one_that_comes_back_soon_is_the_same_one() -> None:
    shop = Shop("standard")
    shop.faults["standard"] = REFUSED
    assert len(shop.steps(120.0)) == 1
    for _ in range(3):
        shop.faults.clear()
        assert shop.steps(QUIET_SECONDS - 10 * STEP) == []
        shop.spend()
        shop.faults["standard"] = REFUSED
        assert shop.steps(120.0) == []
    shop.faults.clear()
    assert [trouble.over for _, trouble in shop.steps(600.0)] == [True]
    shop.spend()
    shop.faults["standard"] = REFUSED
    assert [trouble.over for _, trouble in shop.steps(600.0)] == [False]


def test_a_fault_of_configuration_is_told_at_once_and_hides_no_other() -> None:
    shop = Shop("standard", "strict")
    shop.faults["strict"] = ImageError("the image is lost")
    [trouble] = shop.attempt()
    assert trouble == Trouble(
        "creations strict", "sandboxes of level strict cannot be made: ImageError: the image is lost"
    )
    shop.spend()
    shop.faults["standard"] = AWAY
    assert [trouble.rule for _, trouble in shop.steps(600.0)] == ["engine"]


def test_a_few_attempts_far_apart_are_no_row_yet() -> None:
    shop = Shop("standard")
    shop.faults["standard"] = REFUSED
    for _ in range(2):
        shop.now += 3600.0
        assert shop.attempt() == []
    shop.now += 3600.0
    assert [trouble.rule for trouble in shop.attempt()] == ["creations standard"]


def test_what_a_caller_asks_for_beside_the_levels_is_told_to_that_caller_alone() -> None:
    shop = Shop()
    shop.ledger.configure(STANDARD, 1)
    shop.ledger.drain(STANDARD)
    member = Member(next(shop.ledger.pools), shop.now, 1)
    shop.ledger.failed(member, ImageError("the image is lost"), shop.now)
    assert shop.told() == []


def test_a_level_with_another_policy_has_no_trouble_any_more() -> None:
    shop = Shop("strict")
    shop.faults["strict"] = ImageError("the image is lost")
    shop.attempt()
    shop.ledger.drain(STRICT)
    shop.now += QUIET_SECONDS
    [trouble] = shop.told()
    assert trouble == Trouble("creations strict", "making sandboxes of level strict fails no more", over=True)


def test_a_container_that_stays_is_told_after_a_minute_unless_the_engine_is_away() -> None:
    shop = Shop("standard")
    shop.attempt()
    shop.ledger.drain(STANDARD)
    shop.ledger.decide(shop.now)
    [member] = shop.ledger.removals()
    shop.ledger.removal_failed(member, REFUSED, shop.now)
    shop.now += LASTS_SECONDS - 1.0
    assert shop.told() == []
    shop.now += 1.0
    [trouble] = shop.told()
    assert (trouble.rule, trouble.over) == ("removals", False)
    assert trouble.message.startswith("containers that cannot be removed and hold their room: 1; EngineError: no space")
    assert shop.told() == []
    shop.ledger.gone(member)
    assert shop.told() == []
    shop.now += QUIET_SECONDS
    assert shop.told() == [Trouble("removals", "no removal of a container fails any more", over=True)]


def test_removals_that_failed_with_the_engine_get_their_time_when_it_is_back() -> None:
    shop = Shop("standard", "strict")
    shop.attempt()
    shop.ledger.drain(STANDARD)
    shop.ledger.decide(shop.now)
    [member] = shop.ledger.removals()
    shop.ledger.removal_failed(member, AWAY, shop.now)
    shop.spend()
    shop.faults["strict"] = AWAY
    assert [trouble.rule for _, trouble in shop.steps(600.0)] == ["engine"]
    shop.faults.clear()
    shop.now += STEP
    assert shop.attempt() == []
    shop.ledger.removal_failed(member, REFUSED, shop.now)
    assert shop.told() == []
    shop.now += LASTS_SECONDS
    assert [trouble.rule for trouble in shop.told()] == ["removals"]


def test_a_pool_that_closes_tells_nothing() -> None:
    shop = Shop("standard")
    shop.faults["standard"] = ImageError("the image is lost")
    for member in shop.ledger.decide(shop.now):
        shop.ledger.failed(member, shop.faults["standard"], shop.now)
    shop.ledger.close()
    assert shop.told() == []


# --- through the pool


class Ear:
    """Who is told. ``free``: whether the pool's lock could be had each time."""

    def __init__(self, pool: WarmPools[Toy]) -> None:
        self.heard: list[tuple[str, bool]] = []
        self.free: list[bool] = []
        self._pool, self._changed = pool, threading.Condition()
        pool.tell = self

    def __call__(self, trouble: Trouble) -> None:
        free = self._pool._lock.acquire(timeout=DEADLINE)
        if free:
            self._pool._lock.release()
        with self._changed:
            self.free.append(free)
            self.heard.append((trouble.rule, trouble.over))
            self._changed.notify_all()

    def wait(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.heard) >= count, DEADLINE), self.heard


def test_the_pool_tells_without_its_lock_and_serves_on(open_pool: Opener, workshop: Workshop, clock: Clock) -> None:
    pool = open_pool(clock=clock, create_workers=1)
    ear = Ear(pool)
    workshop.broken = SandboxError("not ready")
    pool.configure(STANDARD, 1)
    for attempt in range(1, 13):
        pool.wait_until(lambda now, n=attempt: now.create_failures_total == n and not now.starting, DEADLINE)  # type: ignore[misc]
        clock.now += STEP
        pool.tick()
    ear.wait(1)
    workshop.broken = None
    clock.now += STEP
    pool.tick()
    pool.prime(DEADLINE)
    pool.lease(STANDARD).release()
    clock.now += QUIET_SECONDS + STEP
    pool.tick()
    ear.wait(2)
    pool.close()
    assert ear.heard == [("creations standard", False), ("creations standard", True)]
    assert ear.free == [True, True]


def test_removals_that_pile_up_are_told(open_pool: Opener, workshop: Workshop, clock: Clock) -> None:
    pool = open_pool(clock=clock, max_containers=2)
    ear = Ear(pool)
    workshop.removal_faults.extend([REFUSED] * 13)
    pool.lease(STANDARD).release()
    for attempt in range(1, 14):
        pool.wait_until(lambda now, n=attempt: now.remove_failures_total == n, DEADLINE)  # type: ignore[misc]
        clock.now += STEP
        pool.tick()
    ear.wait(1)
    pool.wait_until(lambda now: now.removed_total == 1, DEADLINE)
    clock.now += QUIET_SECONDS + STEP
    pool.tick()
    ear.wait(2)
    pool.close()
    assert ear.heard == [("removals", False), ("removals", True)]


def test_a_listener_that_breaks_takes_nothing_from_the_pool(open_pool: Opener, workshop: Workshop) -> None:
    pool = open_pool()
    called = threading.Event()

    def broken(trouble: Trouble) -> None:
        called.set()
        raise RuntimeError(trouble.message)

    pool.tell = broken
    workshop.faults.append(ImageError("the image is lost"))
    pool.configure(STANDARD, 1)
    assert called.wait(DEADLINE)
    pool.prime(DEADLINE)
    pool.lease(STANDARD).release()


def test_an_engine_that_does_not_do_as_asked_is_told_at_once() -> None:
    engine = FakeEngine(on_posture=lambda posture: posture | {"seccomp": 0})
    told = SimpleQueue[Trouble]()
    with pool_over(engine, FAST) as pool:
        pool.tell = told.put
        pool.configure(SPEC, 2)
        trouble = told.get(timeout=DEADLINE)
    assert told.empty()
    assert trouble.rule == f"creations {SPEC.level}"
    assert "PostureError" in trouble.message
    assert "seccomp: asked for 2, found 0" in trouble.message


def test_creations_that_an_engine_refuses_now_and_then_are_not_told() -> None:
    engine, troubles = FakeEngine(), list[Trouble]()
    engine.fail("create", REFUSED, times=2)
    engine.fail("create", AWAY, at=4)
    with pool_over(engine, FAST) as pool:
        pool.tell = troubles.append
        pool.configure(SPEC, 3)
        pool.prime(DEADLINE)
        with pytest.raises(PoolTimeout):
            pool.wait_until(lambda stats: stats.degraded, 0.0)
    assert troubles == []
