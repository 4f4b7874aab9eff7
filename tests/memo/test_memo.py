"""A recorded result is served under exactly the conditions it was recorded under, and never when anybody touched it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Settings
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.memo import Looked, Memo
from orchestrator.memo import state as states
from orchestrator.memo.key import Question, key_of
from orchestrator.memo.store import MAX_ENTRY_BYTES, Store, secret_at
from orchestrator.policy import Decision
from orchestrator.results.model import FallbackOf, RunResult, SkillError, Status, Timings
from orchestrator.sandbox.spec import Limits
from orchestrator.validation.finding import Finding
from orchestrator.vault.changes import Change
from orchestrator.vault.root import Vault
from tests.support.policies import decide, shipped

CODE = "def main(n=1):\n    return {'n': n}\n"
DOCUMENT = {
    "manifest_version": 1, "name": "count", "version": "1.0.0", "code": CODE, "vault": {"read": ["Inbox"]},
    "pure": True, "cache": {"ttl_seconds": 60},
}  # fmt: skip
SECRET = b"s" * 32
OUTPUT = {"n": [1, 2.5, None, "ä", {"b": 1, "a": True}]}


def skill(**given: Any) -> SkillManifest:
    return load_manifest({**DOCUMENT, **given})


def allowed(wanted: SkillManifest) -> Decision:
    decision = decide(shipped("standard"), wanted)
    assert decision.allowed, decision.violations
    return decision


class Place:
    """A vault with a note, and a memo over it."""

    def __init__(self, base: Path, **settings: Any) -> None:
        self.base = base
        self.root = base / "notes"
        (self.root / "Inbox" / "sub").mkdir(parents=True, exist_ok=True)
        (self.root / "Inbox" / "a.md").write_text("alpha")
        (self.root / "Inbox" / "sub" / "b.md").write_text("beta")
        (self.root / "Private").mkdir(exist_ok=True)
        self.settings = Settings(vault=self.root, state_dir=base / "state", cache_dir=base / "cache", **settings)
        self.vault = Vault(self.root, base / "state")
        self.now = 1e9
        self.memo = Memo.of(self.settings, self.vault)
        self.memo._now = lambda: self.now
        self.skill = skill()
        self.decision = allowed(self.skill)
        self.image_id = "sha256:" + "1" * 64

    def look(self, **given: Any) -> Looked:
        wanted: dict[str, Any] = {
            "skill": self.skill,
            "inputs": {"n": 1},
            "decision": self.decision,
            "image_id": self.image_id,
        }
        return self.memo.look(**wanted | given)

    def result(self, **given: Any) -> RunResult:
        facts: dict[str, Any] = {
            "run_id": "r1", "skill": "count@1.0.0", "level": "standard", "status": Status.SUCCEEDED, "reason": "",
            "output": OUTPUT, "stdout": "printed", "warnings": self.decision.warnings,
        }  # fmt: skip
        return RunResult(**facts | given)

    def recorded(self) -> Looked:
        looked = self.look()
        assert looked.hit is None
        assert looked.why == ""
        assert self.memo.keep(looked, self.result())
        return looked

    def tick(self) -> None:
        """Until a change gets a later stamp than any that is there: what two seconds are for in earnest."""
        newest = max(path.lstat().st_ctime_ns for path in self.root.rglob("*"))
        probe = self.base / "probe"
        probe.touch()
        while probe.stat().st_ctime_ns <= newest:
            probe.touch()

    def entries(self) -> list[Path]:
        return [path for path in (self.base / "cache" / "results").rglob("*") if path.is_file()]


@pytest.fixture
def settles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stamps cannot be set back, so here nothing counts as changed a moment ago."""
    monkeypatch.setattr(states, "SETTLED_NS", -3600 * 10**9)


@pytest.fixture
def place(tmp_path: Path, settles: None) -> Place:
    return Place(tmp_path)


def test_a_recorded_result_is_served_and_says_so(place: Place) -> None:
    place.recorded()
    place.now += 59
    hit = place.look().hit
    assert hit is not None
    served = hit.result("r2", place.skill, place.decision, Timings(total=0.001))
    assert (served.run_id, served.cached, served.cached_run_id) == ("r2", True, "r1")
    assert (served.status, json.dumps(served.output)) == (Status.SUCCEEDED, json.dumps(OUTPUT))
    assert served.usage.wall_seconds == 0
    assert (served.stdout, served.policy_digest) == ("", place.decision.policy_digest)
    assert served.warnings == place.decision.warnings


def test_it_is_served_by_another_process_with_the_same_state(place: Place, tmp_path: Path) -> None:
    place.recorded()
    other = Memo.of(place.settings, Vault(place.root, tmp_path / "state"))
    other._now = lambda: place.now
    assert other.look(place.skill, {"n": 1}, place.decision, place.image_id).hit is not None


def test_not_longer_than_the_manifest_says_nor_before_it_was_made(place: Place) -> None:
    place.recorded()
    place.now += 60
    assert place.look().hit is None
    assert place.entries() == [], "what is too old is removed"
    place.recorded()
    place.now -= 1
    assert place.look().hit is None, "a clock that went back"


@pytest.mark.parametrize("given", [{"cache": {"ttl_seconds": 60}, "pure": True}, {"pure": True}, {}])
def test_only_skills_that_ask_for_it(tmp_path: Path, settles: None, given: dict[str, Any]) -> None:
    place = Place(tmp_path)
    plain = {key: value for key, value in DOCUMENT.items() if key not in ("pure", "cache")}
    place.skill = load_manifest({**plain, **given})
    place.decision = allowed(place.skill)
    looked = place.look()
    assert place.memo.keep(looked, place.result()) is ("cache" in given)


# --- the key -------------------------------------------------------------------------------------------------------


def _other_skill(place: Place, **given: Any) -> dict[str, Any]:
    wanted = skill(**given)
    return {"skill": wanted, "decision": allowed(wanted)}


def _decision(place: Place, **given: Any) -> dict[str, Any]:
    return {"decision": replace(place.decision, **given)}


def _spec(place: Place, **given: Any) -> dict[str, Any]:
    assert place.decision.spec is not None
    return _decision(place, spec=replace(place.decision.spec, **given))


KEY_PARTS: dict[str, Callable[[Place], dict[str, Any]]] = {
    "code": lambda place: _other_skill(place, code=CODE + "\n"),
    "manifest": lambda place: _other_skill(place, metadata={"a": 1}),
    "output schema that a caller replaced": lambda place: {
        "skill": replace(place.skill, output_schema={"type": "object"})
    },
    "ttl": lambda place: _other_skill(place, cache={"ttl_seconds": 61}),
    "inputs": lambda _: {"inputs": {"n": 2}},
    "kind of number": lambda _: {"inputs": {"n": 1.0}},
    "truth for a number": lambda _: {"inputs": {"n": True}},
    "one input more": lambda _: {"inputs": {"n": 1, "m": None}},
    "policy": lambda place: _decision(place, policy_digest="0" * 64),
    "level": lambda place: _decision(place, level="strict"),
    "limits": lambda place: _decision(place, limits=Limits(memory_mb=99)),
    "grants": lambda place: _decision(place, grants=replace(place.skill.vault, read=("Inbox", "Private"))),
    "forbidden": lambda place: _decision(place, forbidden=("x",)),
    "image": lambda _: {"image_id": "sha256:" + "2" * 64},
    "image of the spec": lambda place: _spec(place, image_id="sha256:" + "2" * 64),
    "seccomp": lambda place: _spec(place, seccomp="{}"),
    "user": lambda place: _spec(place, uid=4242),
}


@pytest.mark.parametrize("part", KEY_PARTS)
def test_each_part_of_the_key_counts(place: Place, part: str) -> None:
    place.recorded()
    looked = place.look(**KEY_PARTS[part](place))
    assert looked.hit is None
    assert looked.key, "it was looked for"
    assert place.look().hit is not None, "the control: it is still there"


def test_the_order_of_keys_that_a_skill_can_see_counts(place: Place) -> None:
    one = {"n": {"a": 1, "b": 2}}
    assert place.memo.keep(place.look(inputs=one), place.result())
    assert place.look(inputs=one).hit is not None
    assert place.look(inputs={"n": {"b": 2, "a": 1}}).hit is None


def test_audit_mode_is_neither_served_nor_recorded(place: Place) -> None:
    place.recorded()
    audit = replace(place.decision, enforcement="audit")
    looked = place.look(decision=audit)
    assert (looked.hit, looked.why) == (None, "the policy is only tried")
    assert not place.memo.keep(looked, place.result(enforcement="audit"))


def test_grants_count_though_the_vault_is_the_same(place: Place) -> None:
    wider = replace(place.decision, grants=replace(place.skill.vault, read=("Inbox", "Private")))
    keys = {
        key_of(Question(place.skill, {}, decision, place.image_id), SECRET, state="s", withheld="w")
        for decision in (place.decision, wider)
    }
    assert len(keys) == 2


def test_a_decision_that_lets_it_write_is_not_looked_up(place: Place) -> None:
    writing = replace(place.decision, grants=replace(place.skill.vault, write=("Out",)))
    assert place.look(decision=writing).why == "it may write to the vault"


def test_another_release_or_key_gives_another_key(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    question = Question(place.skill, {"n": 1}, place.decision, place.image_id)
    key = key_of(question, SECRET, state="s", withheld="w")
    assert key == key_of(question, SECRET, state="s", withheld="w")
    others = {
        key_of(question, b"t" * 32, state="s", withheld="w"),
        key_of(question, SECRET, state="t", withheld="w"),
        key_of(question, SECRET, state="s", withheld="x"),
    }
    monkeypatch.setattr("orchestrator.memo.key._release", lambda: "99")
    others.add(key_of(question, SECRET, state="s", withheld="w"))
    assert len(others | {key}) == 5


def test_a_canary_that_came_since_makes_recorded_outputs_useless(place: Place, tmp_path: Path) -> None:
    place.recorded()
    place.settings = place.settings.model_copy(update={"canaries": Settings(canaries=("planted-value-1",)).canaries})
    place.memo = Memo.of(place.settings, place.vault)
    place.memo._now = lambda: place.now
    looked = place.look()
    assert looked.hit is None
    assert looked.key


def test_inputs_that_are_no_json_are_not_recorded(place: Place) -> None:
    for inputs in ({"n": float("nan")}, {"n": object()}):
        assert place.look(inputs=inputs).why


# --- the vault -----------------------------------------------------------------------------------------------------


def _rewrite_with_old_time(place: Place) -> None:
    note = place.root / "Inbox" / "a.md"
    before = note.stat()
    note.write_text("ALPHA")
    os.utime(note, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace_with_old_time(place: Place) -> None:
    note = place.root / "Inbox" / "a.md"
    before = note.stat()
    other = place.root / "other"
    other.write_text("ALPHA")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(note)


VAULT_CHANGES: dict[str, Callable[[Place], object]] = {
    "content": lambda place: (place.root / "Inbox" / "a.md").write_text("another"),
    "content of the same size, with the old time": _rewrite_with_old_time,
    "another file under the name": _replace_with_old_time,
    "deep below": lambda place: (place.root / "Inbox" / "sub" / "b.md").write_text("another"),
    "a new file": lambda place: (place.root / "Inbox" / "new.md").write_text(""),
    "a new directory": lambda place: (place.root / "Inbox" / "new").mkdir(),
    "a new link": lambda place: (place.root / "Inbox" / "link").symlink_to("a.md"),
    "a file less": lambda place: (place.root / "Inbox" / "a.md").unlink(),
    "a rename": lambda place: (place.root / "Inbox" / "a.md").rename(place.root / "Inbox" / "c.md"),
    "a mode": lambda place: (place.root / "Inbox" / "a.md").chmod(0o600),
    "a mode of a directory": lambda place: (place.root / "Inbox").chmod(0o700),
    "another hard link": lambda place: os.link(place.root / "Inbox" / "a.md", place.root / "Private" / "a.md"),
    "the whole grant": lambda place: (place.root / "Inbox").rename(place.root / "Gone"),
}


@pytest.mark.parametrize("change", VAULT_CHANGES)
def test_each_change_below_a_grant_counts(place: Place, change: str) -> None:
    place.recorded()
    place.tick()
    VAULT_CHANGES[change](place)
    assert place.look().hit is None


@pytest.mark.parametrize("change", VAULT_CHANGES)
def test_an_edit_during_the_run_is_not_recorded(place: Place, change: str) -> None:
    looked = place.look()
    place.tick()
    VAULT_CHANGES[change](place)
    assert not place.memo.keep(looked, place.result())
    assert place.entries() == []


def test_what_is_not_granted_does_not_count(place: Place) -> None:
    place.recorded()
    (place.root / "Private" / "x.md").write_text("x")
    (place.root / "top.md").write_text("x")
    assert place.look().hit is not None


def test_a_vault_that_was_replaced_is_another_one(place: Place, tmp_path: Path) -> None:
    place.recorded()
    place.root.rename(tmp_path / "old")
    fresh = Place(tmp_path)
    fresh.now = place.now
    assert fresh.look().hit is None


def test_a_missing_grant_is_a_state_too(place: Place) -> None:
    place.skill = skill(vault={"read": ["Later"]})
    place.decision = allowed(place.skill)
    place.recorded()
    assert place.look().hit is not None
    (place.root / "Later").mkdir()
    assert place.look().hit is None


def test_what_was_changed_a_moment_ago_is_not_certain(tmp_path: Path) -> None:
    """No fixture moves the threshold here: the notes were just written."""
    looked = Place(tmp_path).look()
    assert (looked.hit, looked.question) == (None, None)
    assert "a moment ago" in looked.why


def test_the_file_system_s_clock_decides(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = max(path.lstat().st_ctime_ns for path in (place.root / "Inbox", *(place.root / "Inbox").rglob("*")))
    monkeypatch.setattr(states, "SETTLED_NS", 2 * 10**9)
    monkeypatch.setattr(states, "_now", lambda _: newest + 2 * 10**9)
    assert "a moment ago" in place.look().why
    monkeypatch.setattr(states, "_now", lambda _: newest + 2 * 10**9 + 1)
    assert place.look().why == ""


def test_large_grants_are_not_looked_at(place: Place) -> None:
    grants = place.skill.vault
    most = 4  # Inbox, a.md, sub, b.md
    assert states.vault_state(place.vault, grants, place.base / "mark", most=most)
    with pytest.raises(states.Unknown):
        states.vault_state(place.vault, grants, place.base / "mark", most=most - 1)


def test_deep_trees_and_other_kinds_of_entries_do_no_harm(place: Place) -> None:
    os.mkfifo(place.root / "Inbox" / "pipe")
    (place.root / "Inbox" / "loop").symlink_to(".")
    (place.root / "Inbox" / os.fsdecode(b"\xff\n")).mkdir()
    place.recorded()
    assert place.look().hit is not None
    deep = place.root / "Inbox"
    for _ in range(70):
        deep /= "d"
        deep.mkdir()
    assert "deep" in place.look().why


def test_names_cannot_be_put_together_to_another_tree(tmp_path: Path, settles: None) -> None:
    """A file "a" in "b", and a file "b" beside a directory, are told apart by what is hashed, not by luck."""
    look = states._Look(0, 0, 10)
    look._add("a", "b")
    other = states._Look(0, 0, 10)
    other._add("ab")
    third = states._Look(0, 0, 10)
    third._add("a")
    third._add("b")
    assert len({look.digest(), other.digest(), third.digest()}) == 3


# --- what is recorded ----------------------------------------------------------------------------------------------

FINDING = Finding("OUT101", "output", "a secret")
NOT_WORTH: dict[str, dict[str, Any]] = {
    "failed": {"status": Status.FAILED},
    "held": {"status": Status.HELD},
    "denied": {"status": Status.DENIED},
    "a warning about the output": {"warnings": (FINDING,)},
    "something withheld": {"violations": (FINDING,)},
    "a change": {"changes": (Change("created", "Inbox/x.md"),)},
    "a degraded run": {"degraded": True},
    "a fallback": {"fallback_of": FallbackOf("x@1.0.0", "r0", Status.FAILED, "")},
    "a second attempt": {"attempts": 2},
    "a recorded one": {"cached": True, "cached_run_id": "r0"},
    "audit mode": {"enforcement": "audit"},
    "would deny": {"would_deny": (FINDING,)},
    "an output that is no JSON": {"output": float("inf")},
    "an output that is too large": {"output": "x" * MAX_ENTRY_BYTES},
}


@pytest.mark.parametrize("case", NOT_WORTH)
def test_only_what_went_as_it_should_is_recorded(place: Place, case: str) -> None:
    looked = place.look()
    assert not place.memo.keep(looked, place.result(**NOT_WORTH[case]))
    assert place.look().hit is None
    assert place.memo.keep(looked, place.result()), "the control"


def test_the_error_of_a_run_is_no_output(place: Place) -> None:
    looked = place.look()
    assert not place.memo.keep(looked, place.result(status=Status.FAILED, error=SkillError("E", "x")))


# --- poisoning -----------------------------------------------------------------------------------------------------


def _edited(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes().replace(b'"r1"', b'"rX"'))


def _output_edited(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes().replace(b"2.5", b"9.5"))


def _sealed_without_the_key(entry: Path) -> None:
    body = entry.read_bytes().partition(b"\n")[2].replace(b"2.5", b"9.5")
    entry.write_bytes(Store(entry.parent, b"x" * 32)._seal(entry.name, body) + b"\n" + body)


def _cut(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes()[:-5])


def _emptied(entry: Path) -> None:
    entry.write_bytes(b"")


def _open_to_others(entry: Path) -> None:
    entry.chmod(0o644)


def _link(entry: Path) -> None:
    entry.rename(entry.with_name("aside"))
    entry.symlink_to("aside")


def _fifo(entry: Path) -> None:
    entry.unlink()
    os.mkfifo(entry, 0o600)


@pytest.mark.parametrize(
    "poison", [_edited, _output_edited, _sealed_without_the_key, _cut, _emptied, _open_to_others, _link, _fifo]
)
def test_an_entry_that_somebody_touched_is_not_served(place: Place, poison: Callable[[Path], None]) -> None:
    looked = place.recorded()
    entry = next(path for path in place.entries() if path.name == looked.key)
    poison(entry)
    assert place.look().hit is None
    assert place.memo.keep(place.look(), place.result()), "and it does not stay in the way"
    assert place.look().hit is not None


def test_an_entry_under_another_name_is_not_served(place: Place) -> None:
    """The result of one input, moved to where that of another is looked for."""
    looked = place.recorded()
    other = place.look(inputs={"n": 2})
    entry = next(path for path in place.entries() if path.name == looked.key)
    entry.rename(entry.with_name(other.key))
    assert place.look(inputs={"n": 2}).hit is None


def test_a_directory_that_others_may_open_is_not_used(place: Place) -> None:
    looked = place.recorded()
    entry = next(path for path in place.entries() if path.name == looked.key)
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert stat.S_IMODE(entry.parent.stat().st_mode) == 0o700
    entry.parent.chmod(0o755)
    assert place.look().hit is None
    assert not place.memo.keep(place.look(), place.result())


@pytest.mark.parametrize("broken", ["short", "open", "link"])
def test_without_a_key_of_our_own_nothing_is_recorded(tmp_path: Path, settles: None, broken: str) -> None:
    place = Place(tmp_path)
    key = tmp_path / "state" / "memo.key"
    if broken == "short":
        key.write_bytes(b"short")
    elif broken == "open":
        key.chmod(0o644)
    else:
        key.rename(tmp_path / "aside")
        key.symlink_to(tmp_path / "aside")
    place.memo = Memo.of(place.settings, place.vault)
    assert not place.memo.keep(place.look(), place.result())


def test_the_key_is_made_once(tmp_path: Path) -> None:
    first = secret_at(tmp_path / "memo.key")
    assert len(first) == 32
    assert secret_at(tmp_path / "memo.key") == first
    assert [path.name for path in tmp_path.iterdir()] == ["memo.key"]
    assert stat.S_IMODE((tmp_path / "memo.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("document", [{}, {"run_id": 1, "at": 1e9, "output": 1}, {"run_id": "r", "at": 1, "output": 1},
                                      {"run_id": "r", "at": 1e9}])  # fmt: skip
def test_an_entry_of_another_shape_is_none(place: Place, document: dict[str, Any]) -> None:
    looked = place.look()
    assert place.memo._store is not None
    assert place.memo._store.put(looked.key, document)
    assert place.look().hit is None


# --- bounds --------------------------------------------------------------------------------------------------------


@contextmanager
def no_more_than(store: Store) -> Iterator[None]:
    yield
    found = list(store.directory.iterdir())
    assert len(found) <= store.max_entries
    assert sum(path.stat().st_size for path in found) <= store.max_bytes


def test_the_store_is_bounded_in_entries_and_bytes(tmp_path: Path) -> None:
    for store in (Store(tmp_path / "a", SECRET, max_entries=10), Store(tmp_path / "b", SECRET, max_bytes=3000)):
        for number in range(40):
            with no_more_than(store):
                assert store.put(f"{number:064x}", {"output": "x" * 100})
            os.utime(store.directory / f"{number:064x}", (number, number))
        assert store.get(f"{39:064x}") is not None, "the last one is there"
        assert store.get(f"{0:064x}") is None, "the oldest went"


def test_a_full_or_missing_disk_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "below", SECRET)
    assert store.get("0" * 64) is None
    assert not store.put("0" * 64, {"output": 1})
