"""What one call comes to, with attempts, fallbacks and whoever is told: everything but the run itself is real."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orchestrator import PoolSaturated, PoolTimeout, RunResult, SkillError, Status, VaultError, load_manifest
from orchestrator.alerts import Alert
from orchestrator.errors import EngineError, OrchestratorError, PoolClosed, RegistryError, SandboxError
from orchestrator.manifest.model import OnError
from orchestrator.recovery import Ended, Means, NotBegun, Repeats, recovered
from orchestrator.recovery.again import wait
from orchestrator.recovery.plan import Again, Constant, OtherSkill, Stands, plan
from orchestrator.registry import rules as registry_rules
from orchestrator.results.model import FAILURES
from orchestrator.sessions import rules as session_rules
from orchestrator.validation.finding import Finding

BASE = {"manifest_version": 1, "name": "a", "version": "1.0.0", "code": "def main():\n    return 1\n"}
TRANSIENT = {"retry": {"attempts": 3, "on": ["failed"], "wait_seconds": 7}}


def asks(on_error: Any) -> OnError:
    return load_manifest({**BASE, "on_error": on_error}).recovery


class Skill:
    """A skill that ends as told, attempt after attempt, and remembers being tried and which tries were to be repeated.
    An exception of the pool, the engine or a sandbox means that there was no sandbox."""

    def __init__(self, *endings: Status | Exception | RunResult | Finding, name: str = "a@1.0.0") -> None:
        self.endings, self.name, self.runs = list(endings), name, 0
        self.repeated: list[bool] = []

    def __call__(self, repeats: Repeats = lambda result: False) -> Ended:
        ending = self.endings[self.runs]
        self.runs += 1
        if isinstance(ending, VaultError):
            raise ending
        ended = self._ended(ending)
        if isinstance(ended, RunResult):
            self.repeated.append(repeats(ended))
        return ended

    def result(self) -> RunResult:
        ended = self()
        assert isinstance(ended, RunResult)
        return ended

    def _ended(self, ending: Status | Exception | RunResult | Finding) -> Ended:
        def result(status: Status, **more: Any) -> RunResult:
            values = {"reason": f"reason {self.runs}", **more}
            return RunResult(f"run{self.runs}", self.name, "standard", status, **values)

        if isinstance(ending, OrchestratorError):
            return NotBegun(result(Status.SANDBOX_ERROR, reason=f"no sandbox: {ending}", attempts=0), ending)
        if isinstance(ending, Finding):
            return result(Status.DENIED, reason=f"it may not run: {ending}", violations=(ending,))
        if isinstance(ending, RunResult):
            return ending
        assert isinstance(ending, Status)
        return result(ending, output={"n": self.runs} if ending in (Status.SUCCEEDED, Status.HELD) else None)


def refused(rule: str) -> Finding:
    made = registry_rules.finding if rule in registry_rules.RULES else session_rules.finding
    return made(rule, "a@1.0.0", "so it is")


def call(skill: Skill, on_error: Any, *, inputs: Mapping[str, Any] | None = None, **means: Any) -> RunResult:
    output_schema = means.pop("output_schema", None)
    document = {**BASE, "on_error": on_error} | ({"output_schema": output_schema} if output_schema else {})
    pauses = means.pop("pauses", [])
    return recovered(load_manifest(document), inputs or {}, skill, Means(**{"pause": pauses.append, **means}))


# --- the plan


@pytest.mark.parametrize("status", sorted(set(Status) - FAILURES))
def test_only_failures_are_recovered_from(status: Status) -> None:
    everything = asks({**TRANSIENT, "fallback": {"value": 1}, "review": True, "alert": True})
    assert plan(Skill(status).result(), everything, 1) == Stands()
    told: list[Alert] = []
    skill = Skill(status)
    result = call(
        skill, {**TRANSIENT, "fallback": {"value": 1}, "review": True, "alert": True},
        tell=told.append, ask=lambda failed: "asked",
    )  # fmt: skip
    assert (result, skill.runs, told) == (Skill(status).result(), 1, [])


@pytest.mark.parametrize("status", sorted(FAILURES))
def test_the_plan_follows_what_was_asked(status: Status) -> None:
    result = Skill(status).result()
    assert plan(result, OnError(), 1) == Stands()
    again = asks({"retry": {"attempts": 2, "on": [status.value], "wait_seconds": 7}, "fallback": {"value": [1]}})
    assert plan(result, again, 1) == Again(7.0)
    assert plan(result, again, 2) == Constant([1])
    assert plan(result, again, 2, within_fallback=True) == Stands()
    others = [other.value for other in FAILURES - {status}]
    assert plan(result, asks({"retry": {"on": others}, "fallback": {"skill": "b@1.0.0"}}), 1) == OtherSkill("b@1.0.0")


# --- attempts


def test_it_runs_again_until_it_succeeds_and_says_why() -> None:
    skill = Skill(Status.FAILED, Status.FAILED, Status.SUCCEEDED)
    pauses: list[float] = []
    result = call(skill, TRANSIENT, pauses=pauses)
    assert (result.status, result.output, result.run_id) == (Status.SUCCEEDED, {"n": 3}, "run3")
    assert result.attempts == 3
    assert result.attempt_reasons == ("attempt 1 failed: reason 1", "attempt 2 failed: reason 2")
    assert pauses == [7.0, 7.0]
    assert not result.degraded


def test_it_ends_with_the_last_attempt_it_was_given() -> None:
    skill = Skill(Status.FAILED, Status.FAILED, Status.FAILED, Status.SUCCEEDED)
    result = call(skill, TRANSIENT)
    assert (result.status, result.reason, result.attempts, skill.runs) == (Status.FAILED, "reason 3", 3, 3)


def test_an_ending_that_was_not_named_ends_the_attempts() -> None:
    skill = Skill(Status.FAILED, Status.OUT_OF_MEMORY, Status.SUCCEEDED)
    result = call(skill, TRANSIENT)
    assert (result.status, result.attempts, skill.runs) == (Status.OUT_OF_MEMORY, 2, 2)
    assert result.attempt_reasons == ("attempt 1 failed: reason 1",)


def test_without_being_asked_nothing_is_run_twice() -> None:
    skill = Skill(Status.SANDBOX_ERROR, Status.SUCCEEDED)
    result = call(skill, "review")
    assert (result.status, result.attempts, skill.runs) == (Status.SANDBOX_ERROR, 1, 1)


def test_runs_for_conflicts_are_counted_too() -> None:
    first = RunResult("r", "a@1.0.0", "standard", Status.FAILED, "x", attempts=2)
    assert call(Skill(first, Status.SUCCEEDED), TRANSIENT).attempts == 3


def test_who_cancels_between_attempts_gets_no_further_one_and_no_fallback() -> None:
    cancel = threading.Event()
    told: list[Alert] = []
    skill = Skill(Status.FAILED, Status.SUCCEEDED)
    on_error = {**TRANSIENT, "fallback": {"value": 1}, "alert": True}
    result = call(skill, on_error, cancelled=cancel.is_set, pause=lambda _: cancel.set(), tell=told.append)
    assert (result.status, skill.runs, result.degraded, told) == (Status.CANCELLED, 1, False, [])
    assert result.reason == (
        "cancelled between attempts, so there was no further one: attempt 1 failed: reason 1; "
        "run run1 is on record as failed"
    )
    assert (result.attempts, result.attempt_reasons) == (1, ("attempt 1 failed: reason 1",))


def test_who_cancels_while_there_is_no_sandbox_gets_no_error_either() -> None:
    cancel = threading.Event()
    result = call(Skill(PoolSaturated("full")), "retry", cancelled=cancel.is_set, pause=lambda _: cancel.set())
    assert (result.status, result.attempts) == (Status.CANCELLED, 0)
    assert result.reason == (
        "cancelled between attempts, so there was no further one: attempt 1 found no sandbox: full"
    )  # fmt: skip


def test_a_pause_ends_when_the_caller_cancels() -> None:
    cancel = threading.Event()
    waiting = threading.Thread(target=wait, args=(3600.0, cancel.is_set))
    waiting.start()
    cancel.set()
    waiting.join(30)
    assert not waiting.is_alive()


# --- attempts that provably never began

NO_SANDBOX = [PoolSaturated, PoolTimeout, EngineError, SandboxError]
ASKS_ALL = {"retry": {"attempts": 3, "wait_seconds": 2}, "review": True, "alert": True}


@pytest.mark.parametrize("kind", NO_SANDBOX)
def test_what_never_began_is_tried_again_as_a_sandbox_error_is(kind: type[OrchestratorError]) -> None:
    error = kind("none")
    skill, pauses = Skill(error, error, Status.SUCCEEDED), list[float]()
    result = call(skill, ASKS_ALL, pauses=pauses)
    assert (result.status, result.attempts, result.run_id, pauses) == (Status.SUCCEEDED, 1, "run3", [2.0, 2.0])
    assert result.attempt_reasons == tuple(f"attempt {n} found no sandbox: {error}" for n in (1, 2))
    once = Skill(error, Status.SUCCEEDED)
    with pytest.raises(kind):
        call(once, TRANSIENT)  # only after ``failed``
    assert once.runs == 1


@pytest.mark.parametrize("kind", NO_SANDBOX)
def test_without_a_fallback_its_error_is_raised_when_all_was_done(kind: type[OrchestratorError]) -> None:
    error = kind("none")
    told, asked = list[Alert](), list[RunResult]()

    def ask(failed: RunResult) -> str:
        asked.append(failed)
        return "item"

    with pytest.raises(kind) as raised:
        call(Skill(*[error] * 3), ASKS_ALL, tell=told.append, ask=ask)
    assert raised.value is error
    assert [(each.rule, each.run_id, each.message) for each in told] == [
        ("sandbox_error", "run3", "no sandbox could be had, so nothing ran")
    ]
    assert [(each.run_id, each.attempts) for each in asked] == [("run3", 0)]
    assert error.__notes__ == [f"attempt {n} found no sandbox: {error}" for n in (1, 2)]


@pytest.mark.parametrize("kind", NO_SANDBOX)
def test_a_fallback_answers_for_what_never_began(kind: type[OrchestratorError]) -> None:
    error = kind("none")
    told: list[Alert] = []
    result = call(Skill(*[error] * 3), {**ASKS_ALL, "fallback": {"value": 7}}, tell=told.append)
    assert (result.status, result.degraded, result.attempts) == (Status.SANDBOX_ERROR, True, 0)
    assert result.or_fallback() == 7
    assert len(result.attempt_reasons) == 2
    assert [each.message for each in told] == ["no sandbox could be had, so nothing ran; its fallback answered"]
    other = {"fallback": {"skill": "b@1.0.0"}}
    result = call(Skill(error), other, run_skill=lambda name, inputs: Skill(Status.SUCCEEDED, name=name).result())
    assert (result.status, result.skill, result.degraded) == (Status.SUCCEEDED, "b@1.0.0", True)
    with pytest.raises(kind) as raised:
        call(Skill(error), other, run_skill=failing(PoolSaturated("full too")))
    assert "its fallback b@1.0.0 could not be run: full too" in raised.value.__notes__[0]


@pytest.mark.parametrize("kind", NO_SANDBOX)
def test_where_no_sandbox_is_left_the_failure_before_stands(kind: type[OrchestratorError]) -> None:
    error = kind("none")
    skill = Skill(Status.FAILED, error, Status.SUCCEEDED)
    result = call(skill, TRANSIENT)
    assert (result.status, result.run_id, result.attempts, skill.runs) == (Status.FAILED, "run1", 1, 2)
    assert result.attempt_reasons == ("attempt 1 failed: reason 1", f"attempt 2 found no sandbox: {error}")
    assert result.reason == f"reason 1; attempt 2 found no sandbox: {error}"
    both = call(Skill(error, Status.FAILED, error), ASKS_ALL)
    assert (both.status, both.run_id, both.attempts, len(both.attempt_reasons)) == (Status.FAILED, "run2", 1, 3)


def test_a_pool_that_was_closed_is_not_asked_again() -> None:
    told: list[Alert] = []
    skill = Skill(PoolClosed("closed"), Status.SUCCEEDED)
    with pytest.raises(PoolClosed):
        call(skill, {**ASKS_ALL, "fallback": {"value": 1}}, tell=told.append)
    assert (skill.runs, told) == (1, [])
    assert call(Skill(Status.FAILED, PoolClosed("closed"), Status.SUCCEEDED), ASKS_ALL).status is Status.FAILED


def test_a_fault_of_the_installation_goes_through_at_any_attempt() -> None:
    with pytest.raises(VaultError):
        call(Skill(Status.FAILED, VaultError("the record cannot be written")), TRANSIENT)


# --- attempts that were not let in


@pytest.mark.parametrize("rule", ["REG101", "REG102", "REG103", "SES101", "SES105"])
@pytest.mark.parametrize("failure", [Status.FAILED, Status.TIMED_OUT])
def test_that_a_later_attempt_was_not_let_in_hides_no_failure(failure: Status, rule: str) -> None:
    told, asked = list[Alert](), list[RunResult]()

    def ask(failed: RunResult) -> str:
        asked.append(failed)
        return "item"

    skill = Skill(failure, failure, refused(rule), Status.SUCCEEDED)
    on_error = {"retry": {"attempts": 4}, "fallback": {"value": 7}, "review": True, "alert": True}
    result = call(skill, on_error, tell=told.append, ask=ask)
    assert (result.status, result.run_id, result.attempts, skill.runs) == (failure, "run2", 2, 3)
    assert (result.degraded, result.or_fallback(), result.review) == (True, 7, "item")
    assert result.reason.startswith(f"reason 2; attempt 3 was not let in: it may not run: {refused(rule)}")
    assert [reason.partition(":")[0] for reason in result.attempt_reasons] == [
        f"attempt 1 {failure}", f"attempt 2 {failure}", "attempt 3 was not let in",
    ]  # fmt: skip
    assert [(each.rule, each.run_id) for each in told] == [(failure.value, "run2")]
    assert [each.run_id for each in asked] == ["run2"]


def test_that_an_attempt_after_none_was_not_let_in_hides_no_error() -> None:
    with pytest.raises(PoolTimeout):
        call(Skill(PoolTimeout("in vain"), refused("SES101")), ASKS_ALL)


def test_who_runs_an_attempt_learns_whether_it_is_the_last() -> None:
    skill = Skill(Status.FAILED, Status.FAILED, Status.FAILED)
    call(skill, TRANSIENT)
    assert skill.repeated == [True, True, False]
    skill = Skill(Status.FAILED, Status.SUCCEEDED)
    call(skill, TRANSIENT)
    assert skill.repeated == [True, False]
    skill = Skill(Status.FAILED)
    call(skill, TRANSIENT, cancelled=lambda: True)
    assert skill.repeated == [False]


def test_only_quarantine_leads_to_the_fallback_at_once() -> None:
    """That failed before; what another skill's name is on, or somebody disabled, must not seem to work."""
    told: list[Alert] = []
    on_error = {**ASKS_ALL, "fallback": {"value": 7}}
    skill = Skill(refused("REG103"), Status.SUCCEEDED)
    result = call(skill, on_error, tell=told.append, ask=lambda failed: "item")
    assert (result.status, result.degraded, result.or_fallback(), skill.runs) == (Status.DENIED, True, 7, 1)
    assert result.reason.endswith("; its fallback, a constant, stands in")
    assert (told, result.review) == ([], ""), "of the quarantine the operator was told when it began"
    other = {"fallback": {"skill": "b@1.0.0"}}
    result = call(
        Skill(refused("REG103")), other, run_skill=lambda name, inputs: Skill(Status.SUCCEEDED, name=name).result()
    )
    assert (result.status, result.degraded, result.output) == (Status.SUCCEEDED, True, {"n": 1})
    assert "it stands in for a@1.0.0, which ended as denied: it may not run" in result.reason
    for rule in ("REG101", "REG102", "SES101"):
        result = call(Skill(refused(rule)), on_error)
        assert (result.status, result.degraded, result.or_fallback("mine")) == (Status.DENIED, False, "mine")


# --- reasons from within an attempt


def test_what_an_attempt_tells_by_itself_is_in_its_place() -> None:
    def inner(status: Status, *reasons: str, attempts: int = 1) -> RunResult:
        return RunResult("r", "a@1.0.0", "standard", status, "x", attempts=attempts, attempt_reasons=reasons)

    result = call(Skill(inner(Status.FAILED, "one", attempts=2), inner(Status.SUCCEEDED, "two", "three")), TRANSIENT)
    assert (result.attempts, result.attempt_reasons) == (3, ("one", "attempt 1 failed: x", "two", "three"))
    alone = inner(Status.SUCCEEDED, "one")
    assert call(Skill(alone), TRANSIENT) is alone


# --- fallbacks


def test_another_skill_stands_in_and_the_result_says_so() -> None:
    asked: list[tuple[str, Mapping[str, Any]]] = []
    error = SkillError("ValueError", "no such note")
    failed = RunResult("run1", "a@1.0.0", "standard", Status.FAILED, "ValueError: no such note", error=error)

    def run_skill(name: str, inputs: Mapping[str, Any]) -> RunResult:
        asked.append((name, inputs))
        return Skill(Status.SUCCEEDED, name=name).result()

    result = call(Skill(failed), {"fallback": {"skill": "b@1.0.0"}}, inputs={"x": 1}, run_skill=run_skill)
    assert asked == [("b@1.0.0", {"x": 1})]
    assert (result.status, result.degraded, result.skill, result.output) == (
        Status.SUCCEEDED, True, "b@1.0.0", {"n": 1},
    )  # fmt: skip
    assert result.fallback_of is not None
    assert (result.fallback_of.skill, result.fallback_of.run_id, result.fallback_of.status) == (
        "a@1.0.0", "run1", Status.FAILED,
    )  # fmt: skip
    assert "stands in for a@1.0.0, which ended as failed: ValueError" in result.reason
    assert result.error == error
    assert result.or_fallback("unused") == {"n": 1}


def test_a_constant_leaves_the_failure_a_failure_and_is_at_hand() -> None:
    result = call(Skill(Status.TIMED_OUT), {"fallback": {"value": {"n": [0]}}})
    assert (result.status, result.ok, result.degraded, result.output) == (Status.TIMED_OUT, False, True, None)
    assert result.or_fallback() == {"n": [0]}
    assert result.to_dict()["fallback_value"] == {"n": [0]}
    assert call(Skill(Status.SUCCEEDED), {"fallback": {"value": 0}}).or_fallback() == {"n": 1}
    assert call(Skill(Status.FAILED), "review").or_fallback("mine") == "mine"
    assert call(Skill(Status.DENIED), {"fallback": {"value": 0}}).or_fallback("mine") == "mine"
    assert call(Skill(Status.FAILED), {"fallback": {"value": None}}).or_fallback("mine") is None


def failing(error: Exception) -> Callable[[str, Mapping[str, Any]], RunResult]:
    def run_skill(name: str, inputs: Mapping[str, Any]) -> RunResult:
        raise error

    return run_skill


@pytest.mark.parametrize(
    ("run_skill", "words"),
    [
        (None, "no registry"),
        (failing(RegistryError("no such skill")), "no such skill"),
        (failing(PoolSaturated("full")), "full"),
        (lambda name, inputs: Skill(Status.DENIED, name=name).result(), "ended as denied"),
        (lambda name, inputs: Skill(Status.SUCCEEDED, name=name).result(), "off the output_schema"),
    ],
)
def test_a_fallback_that_does_not_answer_leaves_the_failure(run_skill: Any, words: str) -> None:
    schema = {"properties": {"n": {"type": "string"}}}
    result = call(
        Skill(Status.FAILED), {"fallback": {"skill": "b@1.0.0"}}, run_skill=run_skill, output_schema=schema
    )  # fmt: skip
    assert (result.status, result.skill, result.degraded, result.fallback_of) == (
        Status.FAILED, "a@1.0.0", False, None,
    )  # fmt: skip
    assert result.reason.startswith("reason 1; its fallback b@1.0.0")
    assert words in result.reason


def test_a_fallback_has_no_fallback_however_its_manifest_asks() -> None:
    depth = 0

    def run_skill(name: str, inputs: Mapping[str, Any]) -> RunResult:
        nonlocal depth
        depth += 1
        other = load_manifest({**BASE, "name": "b", "on_error": {"fallback": {"skill": "a@1.0.0"}}})
        return recovered(other, inputs, Skill(Status.FAILED, name="b@1.0.0"), Means(run_skill=run_skill))

    result = call(Skill(Status.FAILED), {"fallback": {"skill": "b@1.0.0"}}, run_skill=run_skill)
    assert (result.status, depth) == (Status.FAILED, 1)
    again = call(Skill(Status.FAILED), {"fallback": {"value": 1}})
    assert again.degraded, "afterwards fallbacks are used as before"


# --- asking and telling


def test_who_is_asked_and_told_hears_of_the_failure_once() -> None:
    told: list[Alert] = []
    asked: list[RunResult] = []

    def ask(failed: RunResult) -> str:
        asked.append(failed)
        return "item"

    result = call(
        Skill(Status.FAILED, Status.FAILED), {"retry": {"attempts": 2}, "review": True, "alert": True,
        "fallback": {"value": 0}}, ask=ask, tell=told.append,
    )  # fmt: skip
    assert result.review == "item"
    assert [(failed.run_id, failed.attempts) for failed in asked] == [("run2", 2)]
    (alert,) = told
    assert (alert.kind, alert.skill, alert.rule, alert.run_id) == ("run_failed", "a@1.0.0", "failed", "run2")
    assert alert.message == "the run ended as failed after 2 attempts; its fallback answered"


def test_an_alert_holds_no_word_of_the_skills() -> None:
    told: list[Alert] = []
    words = "text of a note"
    failed = RunResult("r", "a@1.0.0", "standard", Status.FAILED, words, error=SkillError(words, words, words))
    call(Skill(failed), "alert", tell=told.append)
    assert len(told) == 1
    assert words not in repr(told)


def test_who_did_not_ask_is_not_told() -> None:
    told: list[Alert] = []
    result = call(Skill(Status.FAILED), {"retry": {"attempts": 1}}, tell=told.append, ask=lambda _: "item")
    assert (result.review, told) == ("", [])
