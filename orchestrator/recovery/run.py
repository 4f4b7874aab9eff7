"""``recovered``: one call of a skill, with all that its manifest's ``on_error`` asks for.

    once, and again  ->  failed?  ->  fallback: another skill, or a constant  ->  review, alert

It starts nothing by itself: how a skill is run, a person asked and an alert sent are the caller's, see ``Means``.
That no sandbox could be had is a failure too; where no fallback answers, its error is raised after all.
``succeeded`` always means that code ran to its end and its output was accepted. So another skill that stands in gives
its own result, marked as degraded; a constant leaves the failure a failure, and is at hand in ``or_fallback()``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from orchestrator.alerts.model import Alert
from orchestrator.errors import CallerError, EngineError, PoolClosed, PoolError, SandboxError
from orchestrator.manifest.model import SkillManifest
from orchestrator.recovery.again import Attempts, Cancelled, NotBegun, Once, result_of, wait
from orchestrator.recovery.plan import Constant, OtherSkill, plan, quarantined
from orchestrator.results.model import FAILURES, FallbackOf, RunResult, Status
from orchestrator.schemas import compiled
from orchestrator.text import one_line

RunSkill = Callable[[str, Mapping[str, Any]], RunResult]
_REASON: Final = 2000  # characters
_NO_MORE: Final = 10_000  # an attempt after which there is none
_within_fallback: ContextVar[bool] = ContextVar("within_fallback", default=False)


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Means:
    """What recovering may use. ``run_skill`` runs a registered skill ("name@version") on the same inputs; None: there
    is no registry. ``ask`` puts a failed run into the manual queue and gives the item's id. ``tell`` must neither raise
    nor wait. ``pause`` replaces the wait between attempts (seconds), which ends early when ``cancelled``."""

    run_skill: RunSkill | None = None
    ask: Callable[[RunResult], str] | None = None
    tell: Callable[[Alert], None] | None = None
    cancelled: Cancelled = _never
    pause: Callable[[float], None] | None = None


def recovered(skill: SkillManifest, inputs: Mapping[str, Any], once: Once, means: Means) -> RunResult:
    """What one call of ``skill`` comes to. ``once`` runs it one time. Raises what ``once`` raises; and the error of one
    that had no sandbox, where no attempt is left and no fallback answers.

    Who is asked or told hears of the skill's own failure, also where a fallback answers for it.
    """
    pause = means.pause or partial(wait, cancelled=means.cancelled)
    ended = Attempts(once, skill.recovery, means.cancelled, pause).ended()
    if isinstance(ended, NotBegun) and isinstance(ended.error, PoolClosed):
        raise ended.error  # nothing can be run, asked or told any more
    failed = result_of(ended)
    result = _with_fallback(skill, inputs, failed, means)
    if failed.status not in FAILURES:
        return result
    if skill.recovery.review and means.ask is not None and not result.review:
        result = replace(result, review=means.ask(failed))
    if skill.recovery.alert and means.tell is not None:
        means.tell(failure_alert(failed, degraded=result.degraded))
    if isinstance(ended, NotBegun) and not result.degraded:
        _note_what_was_tried(ended.error, failed, result)
        raise ended.error
    return result


def failure_alert(failed: RunResult, *, degraded: bool = False) -> Alert:
    """In words of ours alone: what a skill says of its end may quote a note."""
    message = (
        f"the run ended as {failed.status.value}" if failed.attempts else "no sandbox could be had, so nothing ran"
    )
    message += f" after {failed.attempts} attempts" if failed.attempts > 1 else ""
    message += "; its fallback answered" if degraded else ""
    return Alert("run_failed", message, skill=failed.skill, rule=failed.status.value, run_id=failed.run_id)


def _note_what_was_tried(error: BaseException, failed: RunResult, result: RunResult) -> None:
    """In notes of the error, which tracebacks show: the attempts before the last one, and a fallback in vain."""
    for line in failed.attempt_reasons:
        error.add_note(line)
    if result.reason != failed.reason:
        error.add_note(result.reason)


def _with_fallback(skill: SkillManifest, inputs: Mapping[str, Any], failed: RunResult, means: Means) -> RunResult:
    step = plan(failed, skill.recovery, _NO_MORE, within_fallback=_within_fallback.get())
    if isinstance(step, Constant):
        reason = one_line(f"{failed.reason}; its fallback, a constant, stands in", _REASON)
        reason = reason if quarantined(failed) else failed.reason
        return replace(failed, reason=reason, degraded=True, fallback_value=step.value)
    if isinstance(step, OtherSkill) and not means.cancelled():
        return _by_other_skill(step.name, skill, inputs, failed, means.run_skill)
    return failed


def _by_other_skill(
    name: str, skill: SkillManifest, inputs: Mapping[str, Any], failed: RunResult, run_skill: RunSkill | None
) -> RunResult:
    if run_skill is None:
        return _in_vain(failed, f"its fallback {name} could not be run: there is no registry of skills")
    token = _within_fallback.set(True)
    try:
        answer = run_skill(name, inputs)
    except (CallerError, PoolError, EngineError, SandboxError) as error:
        return _in_vain(failed, f"its fallback {name} could not be run: {error}")
    finally:
        _within_fallback.reset(token)
    if answer.status not in (Status.SUCCEEDED, Status.HELD):
        return _in_vain(failed, f"its fallback {name} ended as {answer.status}: {answer.reason}")
    if problems := _misfits(skill, answer):
        return _in_vain(
            failed, f"its fallback {name} (run {answer.run_id}) gave an output off the output_schema: {problems}"
        )
    reason = f"{answer.reason}; it stands in for {failed.skill}, which ended as {failed.status}: {failed.reason}"
    return replace(
        answer,
        reason=one_line(reason, _REASON),
        degraded=True,
        fallback_of=FallbackOf(failed.skill, failed.run_id, failed.status, failed.reason),
        attempts=failed.attempts,
        attempt_reasons=failed.attempt_reasons,
        error=failed.error,
    )


def _misfits(skill: SkillManifest, answer: RunResult) -> str:
    """Who called ``skill`` relies on its schema, whoever answers."""
    if skill.output_schema is None:
        return ""
    return "; ".join(str(problem) for problem in compiled(skill.output_schema).problems(answer.output)[:3])


def _in_vain(failed: RunResult, why: str) -> RunResult:
    return replace(failed, reason=one_line(f"{failed.reason}; {why}", _REASON))
