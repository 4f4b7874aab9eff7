"""The store: what is in force, when a change comes into force, and what a broken file does."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loguru import logger

from orchestrator.errors import PolicyError
from orchestrator.policy import PolicyStore, check
from tests.support.policies import LEVELS, policy_dir


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Installation:
    """A policy directory, a state directory and a clock; ``start`` is a (re)start of the orchestrator."""

    def __init__(self, root: Path) -> None:
        self.policies = policy_dir(root)
        self.state = root / "state"
        self.clock = Clock()

    def start(self) -> PolicyStore:
        return PolicyStore(self.policies, self.state, clock=self.clock, interval_seconds=1.0)

    def edit(self, change: Callable[[str], str], level: str = "standard") -> None:
        path = self.policies / f"{level}.toml"
        path.write_text(change(path.read_text("utf-8")), "utf-8")

    def look(self, store: PolicyStore) -> None:
        self.clock.now += 1.5
        store.refresh()


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def log() -> Iterator[list[str]]:
    messages: list[str] = []
    sink = logger.add(lambda message: messages.append(str(message)), level="WARNING", format="{level} {message}")
    yield messages
    logger.remove(sink)


def smaller(text: str) -> str:
    return text.replace("max_opens = 20000", "max_opens = 7")


def broken(text: str) -> str:
    return text + "\n[nonsense]\n"


def opens(store: PolicyStore) -> int:
    return store.current("standard").parts.guards.max_opens


def test_valid_files_are_in_force_at_start(place: Installation) -> None:
    store = place.start()
    assert store.levels() == tuple(sorted(LEVELS))
    assert store.current("strict").level == "strict"


def test_an_unknown_level_has_no_policy(place: Installation) -> None:
    with pytest.raises(PolicyError, match="there is no policy for level 'lax'"):
        place.start().current("lax")


def test_a_change_waits_for_acceptance(place: Installation, log: list[str]) -> None:
    store = place.start()
    place.edit(smaller)
    for _ in range(3):
        place.look(store)
    assert opens(store) == 20000
    assert len([line for line in log if "not accepted" in line]) == 1
    assert store.accept().ok
    assert opens(store) == 7


def test_acceptance_by_another_process_is_seen(place: Installation) -> None:
    store, other = place.start(), place.start()
    place.edit(smaller)
    place.look(store)
    other.accept()
    place.look(store)
    assert opens(store) == opens(other) == 7


def test_a_restart_takes_valid_files(place: Installation) -> None:
    place.start()
    place.edit(smaller)
    assert opens(place.start()) == 7


def test_a_comment_needs_no_acceptance(place: Installation, log: list[str]) -> None:
    store = place.start()
    place.edit(lambda text: "# reviewed\n" + text)
    place.look(store)
    assert log == []


def test_a_broken_edit_keeps_the_last_good(place: Installation, log: list[str]) -> None:
    store = place.start()
    place.edit(broken)
    for _ in range(3):
        place.look(store)
    assert opens(store) == 20000
    assert len([line for line in log if "nonsense" in line]) == 1
    assert log[0].startswith("ERROR")
    with pytest.raises(PolicyError, match="nonsense"):
        store.accept()
    assert opens(store) == 20000


def test_each_new_change_is_reported(place: Installation, log: list[str]) -> None:
    store = place.start()
    place.edit(broken)
    place.look(store)
    place.edit(lambda text: text.replace("[nonsense]", "[rubbish]"))
    place.look(store)
    assert len(log) == 2


def test_a_broken_file_at_restart_falls_back(place: Installation, log: list[str]) -> None:
    place.start()
    place.edit(broken)
    store = place.start()
    assert opens(store) == 20000
    assert any("last accepted copy" in line for line in log)


def test_a_broken_file_with_nothing_to_fall_back_on_denies(place: Installation) -> None:
    place.edit(broken)
    store = place.start()
    with pytest.raises(PolicyError, match="nonsense") as caught:
        store.current("standard")
    assert "no policy is in force" in str(caught.value)
    assert store.current("strict")


def test_no_directory_denies_everything(place: Installation, tmp_path: Path) -> None:
    store = PolicyStore(tmp_path / "nowhere", place.state, clock=place.clock)
    assert store.levels() == ()
    with pytest.raises(PolicyError):
        store.current("standard")


def test_a_lost_directory_falls_back_as_a_whole(place: Installation, tmp_path: Path) -> None:
    place.start()
    assert PolicyStore(tmp_path / "nowhere", place.state, clock=place.clock).levels() == tuple(sorted(LEVELS))


def test_a_deleted_level_stays_until_accepted(place: Installation) -> None:
    store = place.start()
    (place.policies / "relaxed.toml").unlink()
    place.look(store)
    assert store.current("relaxed")
    store.accept()
    with pytest.raises(PolicyError):
        store.current("relaxed")


def test_a_missing_profile_breaks_every_level_that_names_it(place: Installation) -> None:
    (place.policies / "seccomp" / "sandbox.json").unlink()
    report = check(place.policies)
    assert set(report.problems) == {f"{level}.toml" for level in LEVELS}
    assert report.digest == ""
    assert place.start().levels() == ()


def test_a_changed_profile_is_a_change(place: Installation, log: list[str]) -> None:
    store = place.start()
    path = place.policies / "seccomp" / "sandbox.json"
    path.write_text(path.read_text().replace('"write"', '"writev"'))
    place.look(store)
    assert any("not accepted" in line for line in log)


def test_files_are_looked_at_once_per_interval(place: Installation) -> None:
    store = place.start()
    place.edit(smaller)
    place.start()  # another process accepts
    place.clock.now += 0.5
    store.refresh()
    assert opens(store) == 20000
    place.clock.now += 0.6
    store.refresh()
    assert opens(store) == 7


def test_accepted_copies_are_private(place: Installation) -> None:
    place.start()
    for path in (place.state / "policies").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert stat.S_IMODE((place.state / "policies").stat().st_mode) == 0o700


def test_only_one_set_is_kept(place: Installation) -> None:
    store = place.start()
    for count in (1, 2, 3):
        place.edit(lambda text, count=count: text.replace("max_waiting = 256", f"max_waiting = {count}"))  # type: ignore[misc]
        store.accept()
    assert len(list((place.state / "policies").glob("set-*"))) == 1


@pytest.mark.parametrize("damage", ["tamper", "open", "garbage"])
def test_damaged_copies_are_not_believed(place: Installation, damage: str) -> None:
    place.start()
    place.edit(broken)
    home = place.state / "policies"
    if damage == "tamper":
        kept = next(home.glob("set-*/standard.toml"))
        kept.write_text(kept.read_text().replace("max_opens = 20000", "max_opens = 90000"))
    elif damage == "open":
        home.chmod(0o777)
    else:
        (home / "accepted.json").write_text("[" * 100)
    with pytest.raises(PolicyError):
        place.start().current("standard")


def test_acceptance_that_cannot_be_recorded_changes_nothing(place: Installation) -> None:
    store = place.start()
    place.edit(smaller)
    (place.state / "policies").chmod(0o777)
    with pytest.raises(PolicyError, match="cannot be recorded"):
        store.accept()
    assert opens(store) == 20000


def test_many_threads_see_a_whole_policy(place: Installation) -> None:
    store = place.start()
    seen: set[int] = set()

    def read() -> None:
        while 7 not in seen:
            store.refresh()
            seen.add(opens(store))

    threads = [threading.Thread(target=read, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    place.edit(smaller)
    store.accept()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    assert seen == {20000, 7} or seen == {7}
