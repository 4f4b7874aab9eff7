"""Sessions on both databases: no overspending by threads, processes or crashes; a session outlives its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ManifestError, PoolTimeout, SandboxError, SessionError
from orchestrator.records import Database
from orchestrator.results.model import RunResult
from orchestrator.sandbox.ownership import Instance
from orchestrator.sandbox.spec import Limits
from orchestrator.sessions import Budget, Owner, Session, Sessions, Spent
from orchestrator.sessions.sharing import Share
from orchestrator.sessions.store import IDLE_SECONDS, KEPT_SECONDS, SLACK_SECONDS
from orchestrator.validation.finding import Finding
from tests.records.conftest import Where, as_argument
from tests.registry.conftest import Clock
from tests.support.runs import not_begun, result

HERE = Owner("here", "a", lambda _: True)
TEN = Limits(wall_seconds=10, cpu_seconds=10)


@pytest.fixture
def sessions(database: Database, clock: Clock) -> Sessions:
    return Sessions(database, HERE, now=clock)


def unused(*_: Any, **__: Any) -> RunResult:
    raise AssertionError("nothing is run here")


def session(sessions: Sessions, budget: Budget, run: Callable[..., RunResult] = unused) -> Session:
    return Session(sessions, sessions.open(budget).id, run)


def taken(sessions: Sessions, session_id: str, run_id: str, limits: Limits = TEN) -> Share:
    found = sessions.reserve(session_id, run_id, limits)
    assert isinstance(found, Share), found
    return found


def refusal(sessions: Sessions, session_id: str, limits: Limits = TEN) -> str:
    found = sessions.reserve(session_id, "refused", limits)
    assert isinstance(found, Finding), found
    return found.rule


# --- budgets -------------------------------------------------------------------------------------------------------


def test_runs_are_cut_to_what_is_left_and_then_refused(sessions: Sessions) -> None:
    id = sessions.open(Budget(wall_seconds=25, runs=10)).id
    for number, expected in enumerate((10.0, 10.0, 5.0)):
        assert taken(sessions, id, str(number)).limits.wall_seconds == expected
        sessions.settle(id, str(number), Spent(wall_seconds=expected, runs=1))
    assert refusal(sessions, id) == "SES102"
    assert sessions.get(id).used == Spent(25.0, 0.0, 3, 0)


def test_what_was_set_aside_and_not_used_comes_back(sessions: Sessions) -> None:
    id = sessions.open(Budget(wall_seconds=10)).id
    taken(sessions, id, "first")
    assert refusal(sessions, id) == "SES105"
    assert sessions.get(id).left.wall_seconds == 0.0
    sessions.settle(id, "first", Spent(wall_seconds=1, runs=1))
    assert taken(sessions, id, "second").limits.wall_seconds == 9.0


def test_a_run_that_never_began_costs_nothing(sessions: Sessions) -> None:
    id = sessions.open(Budget(runs=1)).id
    taken(sessions, id, "first")
    sessions.settle(id, "first", None)
    state = sessions.get(id)
    assert (state.used, state.reserved) == (Spent(), Spent())


def test_of_several_settlements_the_first_counts(sessions: Sessions) -> None:
    id = sessions.open(Budget()).id
    taken(sessions, id, "run")
    for _ in range(3):
        sessions.settle(id, "run", Spent(1, 1, 1, 1))
    sessions.settle(id, "never reserved", Spent(1, 1, 1, 1))
    assert sessions.get(id).used == Spent(1, 1, 1, 1)


@pytest.mark.parametrize(
    "budget",
    [
        {"wall_seconds": 0}, {"wall_seconds": -1.0}, {"cpu_seconds": float("nan")}, {"cpu_seconds": float("inf")},
        {"runs": 0}, {"runs": 1.5}, {"runs": True}, {"runs": 2**40}, {"network_requests": -1}, {"wall_seconds": "9"},
    ],
)  # fmt: skip
def test_a_budget_must_make_sense(sessions: Sessions, budget: dict[str, Any]) -> None:
    with pytest.raises(SessionError, match=next(iter(budget))):
        sessions.open(Budget(**budget))
    assert sessions.list(every=True) == []


def test_an_unused_owner_cannot_reserve(database: Database) -> None:
    looking = Sessions(database)
    with pytest.raises(ValueError, match="owner"):
        looking.reserve(looking.open(Budget()).id, "run", TEN)


# --- a session's life ----------------------------------------------------------------------------------------------


def test_a_session_goes_on_in_the_next_process(sessions: Sessions, where: Where, clock: Clock) -> None:
    id = sessions.open(Budget(wall_seconds=25, network_requests=9), label="nightly\x1b").id
    taken(sessions, id, "run")
    sessions.settle(id, "run", Spent(20, 1, 1, 2))
    with Database(where) as other:
        state = Sessions(other, HERE, now=clock).resume(id)
    assert (state.label, state.used, state.left) == ("nightly\\x1b", Spent(20, 1, 1, 2), Budget(5, None, None, 7))


def test_sessions_end_by_closing_and_by_age(sessions: Sessions, clock: Clock) -> None:
    closed, old = sessions.open(Budget()).id, sessions.open(Budget()).id
    assert sessions.close(closed).condition == sessions.close(closed).condition == "closed"
    assert refusal(sessions, closed) == "SES106"
    clock.at += IDLE_SECONDS
    assert refusal(sessions, old) == "SES106"
    for id in (closed, old):
        with pytest.raises(SessionError, match=r"is (closed|expired)"):
            sessions.resume(id)
    fresh = sessions.open(Budget()).id
    assert [state.id for state in sessions.list()] == [fresh]
    assert {state.condition for state in sessions.list(every=True)} == {"open", "closed", "expired"}
    clock.at += KEPT_SECONDS + 1
    newest = sessions.open(Budget()).id
    assert [state.id for state in sessions.list(every=True)] == [newest]


def test_an_unknown_session(sessions: Sessions) -> None:
    for ask in (sessions.get, sessions.resume, sessions.close):
        with pytest.raises(SessionError, match="there is no session"):
            ask("no\x1bsuch")


def test_a_run_under_way_when_its_session_is_closed_is_charged(sessions: Sessions) -> None:
    id = sessions.open(Budget(runs=5)).id
    taken(sessions, id, "run")
    sessions.close(id)
    sessions.settle(id, "run", Spent(1, 1, 1))
    assert sessions.get(id).used.runs == 1


# --- a place -------------------------------------------------------------------------------------------------------


def test_a_place_is_charged_what_the_run_took(sessions: Sessions, database: Database) -> None:
    mine = session(sessions, Budget(wall_seconds=10))
    with mine.place("one", TEN) as place:
        assert place.refusal is None
        assert place.limits.wall_seconds == 10.0
        assert not place.shortened
        place.settle(result(wall=2.0))
    with mine.place("two", TEN) as place, database.writing() as connection:
        assert place.shortened
        place.settling(result(wall=3.0))(connection)
    with mine.place("three", TEN) as place:
        place.settle(not_begun())
    assert mine.state().used == Spent(5.0, 2.5, 2, 0)
    assert mine.state().reserved == Spent()


@pytest.mark.parametrize(
    ("error", "began", "used"),
    [
        (PoolTimeout("no sandbox"), False, 0.0), (PoolTimeout("a run inside"), True, 10.0),
        (SandboxError("it broke before the job"), False, 0.0), (ManifestError("x"), True, 10.0),
        (KeyboardInterrupt(), True, 10.0), (None, True, 10.0), (None, False, 10.0),
    ],
)  # fmt: skip
def test_who_says_nothing_is_charged_in_full_unless_nothing_ran(
    sessions: Sessions, error: BaseException | None, began: bool, used: float
) -> None:
    mine = session(sessions, Budget(wall_seconds=100))

    def leave() -> None:
        with mine.place("run", TEN, began=lambda: began):
            if error is not None:
                raise error

    if error is None:
        leave()
    else:
        with pytest.raises(type(error)):
            leave()
    assert (mine.state().used.wall_seconds, mine.state().reserved) == (used, Spent())


def test_a_transaction_that_was_undone_has_settled_nothing(sessions: Sessions, database: Database) -> None:
    """The outcome could not be recorded: the run fails, and its place is charged in full."""
    mine = session(sessions, Budget(wall_seconds=100))

    def fails() -> None:
        with mine.place("run", TEN) as place, database.writing() as connection:
            place.settling(result(wall=1.0))(connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert (mine.state().used.wall_seconds, mine.state().reserved) == (10.0, Spent())


def test_a_refused_place_settles_nothing(sessions: Sessions) -> None:
    mine = session(sessions, Budget(runs=1))
    with mine.place("one", TEN) as place:
        place.settle(result())
    with mine.place("two", TEN) as place:
        assert place.refusal is not None
        assert place.refusal.rule == "SES101"
        with pytest.raises(ValueError, match="refused"):
            place.limits  # noqa: B018
        place.settle(not_begun())
    assert mine.state().used.runs == 1


def test_run_hands_itself_on(sessions: Sessions) -> None:
    seen: list[Any] = []

    def run(*args: Any, **options: Any) -> RunResult:
        seen.append((args, options))
        return result()

    with session(sessions, Budget(), run) as mine:
        mine.run("tidy", {"a": 1}, level="strict")
    assert seen == [(("tidy", {"a": 1}), {"session": mine, "level": "strict"})]


def test_leaving_the_with_ends_the_object_and_not_the_session(sessions: Sessions) -> None:
    with session(sessions, Budget()) as mine:
        pass
    with mine.place("late", TEN) as place:
        assert place.refusal is not None
        assert place.refusal.rule == "SES106"
    assert sessions.resume(mine.id).condition == "open"
    mine.close()
    assert mine.state().condition == "closed"


# --- side by side --------------------------------------------------------------------------------------------------


def test_threads_never_overspend(sessions: Sessions) -> None:
    mine = session(sessions, Budget(wall_seconds=50, runs=9))
    barrier, most = threading.Barrier(6), []

    def work(worker: int) -> None:
        barrier.wait(30)
        for number in range(8):
            with mine.place(f"{worker}/{number}", TEN) as place:
                if place.refusal is None:
                    state = mine.state()
                    most.append(state.used.wall_seconds + state.reserved.wall_seconds)
                    place.settle(result(wall=place.limits.wall_seconds))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    state = mine.state()
    assert max(most) <= 50.0 + 1e-9
    assert state.used.wall_seconds == pytest.approx(50.0)
    assert state.reserved == Spent()
    assert state.used.runs <= 9


WORKER = """
import sys
from pathlib import Path
from orchestrator.records import Database
from orchestrator.sandbox.ownership import Instance
from orchestrator.sandbox.spec import Limits
from orchestrator.sessions import Owner, Sessions
from orchestrator.validation.finding import Finding
from tests.records.conftest import from_argument
where, state, session_id = sys.argv[1:]
instance = Instance(Path(state))
with Database(from_argument(where)) as database:
    sessions = Sessions(database, Owner(instance.state_id, instance.id, instance.alive))
    print("ready", flush=True)
    sys.stdin.readline()
    count, second = 0, Limits(wall_seconds=1)
    while count < 20 and not isinstance(sessions.reserve(session_id, f"{instance.id}/{count}", second), Finding):
        count += 1
    print(count, flush=True)
    sys.stdin.readline()
"""


def worker(where: Where, state: Path, session_id: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, as_argument(where), str(state), session_id],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def heard(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def test_processes_never_overspend_and_what_a_killed_one_set_aside_is_charged(
    database: Database, where: Where, tmp_path: Path
) -> None:
    state_dir = tmp_path / "state"
    instance = Instance(state_dir)
    sessions = Sessions(database, Owner(instance.state_id, instance.id, instance.alive))
    id = sessions.open(Budget(wall_seconds=10)).id
    children = [worker(where, state_dir, id) for _ in range(2)]
    try:
        assert [heard(child) for child in children] == ["ready", "ready"]
        for child in children:
            go(child)
        counts = [int(heard(child)) for child in children]
        assert sum(counts) == 10
        assert sessions.resume(id).reserved == Spent(10.0, 300.0, 10), "both still live: nothing is charged yet"
        os.kill(children[0].pid, signal.SIGKILL)
        children[0].wait(60)
        state = sessions.resume(id)
        assert (state.used.runs, state.reserved.runs) == tuple(counts)
        assert state.left.wall_seconds == 0.0
    finally:
        for child in children:
            child.kill()
            child.communicate()
    state = sessions.resume(id)
    assert (state.used, state.reserved) == (Spent(10.0, 300.0, 10), Spent())
    instance.release()


def test_another_machines_reservations_are_waited_for(database: Database, clock: Clock) -> None:
    """Whether a process of another state directory lives cannot be seen from here."""
    far = Sessions(database, Owner("far", "b", lambda _: True), now=clock)
    near = Sessions(database, Owner("near", "c", lambda _: False), now=clock)
    id = far.open(Budget(wall_seconds=100)).id
    taken(far, id, "run")
    assert near.resume(id).reserved.runs == 1
    clock.at += 10 + SLACK_SECONDS + 1
    assert near.resume(id).used == Spent(10.0, 10.0, 1)
