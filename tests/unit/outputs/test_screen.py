"""What a level says, carried out: on streams, error, output and notes; with the control that allows it."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.errors import Problem
from orchestrator.outputs.known import KnownValues
from orchestrator.outputs.screen import Screen, Texts
from orchestrator.outputs.secrets import WITHHELD
from orchestrator.policy.outputs import ContentRules, OutputRules, SecretAction, SecretRules
from orchestrator.results.classify import Report
from orchestrator.results.model import SkillError, Status
from orchestrator.results.screening import screened
from orchestrator.sandbox.outcome import FinalReport, Outcome
from orchestrator.sandbox.spec import Limits
from orchestrator.vault.content import Judged, Written
from tests.support.policies import shipped
from tests.support.secret_samples import CANARY, SAMPLES

KNOWN = KnownValues.of([("canary", CANARY)])
FINAL = FinalReport(
    cause="exited", started=True, setup_error="", exit_code=0, signal=None, wall_seconds=1, user_cpu_seconds=1,
    system_cpu_seconds=0, memory_peak_bytes=1, oom_kills=0, pids_peak=1, bytes_written=0, file_opens=0,
)  # fmt: skip
PLACES = ("output", "stdout", "stderr", "error")


def screen(action: SecretAction = "redact", notes: SecretAction = "block", **content: Any) -> Screen:
    secrets = SecretRules(output=action, stdout=action, stderr=action, error=action, notes=notes)
    return Screen(OutputRules(secrets, ContentRules(**content)), KNOWN)


def texts(action: SecretAction, place: str) -> Texts:
    """A run with the canary in one place."""
    here = {each: CANARY if each == place else "plain" for each in PLACES}
    outcome = Outcome(stdout=bytearray(here["stdout"].encode()), stderr=bytearray(here["stderr"].encode()), final=FINAL)
    error = ("ValueError", f"no {here['error']}", f"at {here['error']}")
    return screen(action).texts(outcome, {"a": here["output"]}, (Problem("/a", f"{here['output']} is wrong"),), error)


def said(result: Texts) -> str:
    return repr((result, bytes(result.outcome.stdout), bytes(result.outcome.stderr)))


@pytest.mark.parametrize("place", PLACES)
def test_redact(place: str) -> None:
    result = texts("redact", place)
    assert CANARY not in said(result)
    assert not result.blocked
    assert {each.subject.split("/")[0] for each in result.warnings} == {place}
    assert {each.rule for each in result.warnings} == {"OUT101"}
    assert "[secret removed: canary]" in said(result)


@pytest.mark.parametrize("place", PLACES)
def test_block(place: str) -> None:
    result = texts("block", place)
    assert CANARY not in said(result)
    assert {each.subject.split("/")[0] for each in result.blocked} == {place}
    assert {each.severity for each in result.blocked} == {"error"}
    assert result.value is None
    assert (WITHHELD in said(result)) or place == "output"
    assert b"plain" in bytes(result.outcome.stdout) or place == "stdout"


@pytest.mark.parametrize("place", PLACES)
def test_the_control_allow(place: str) -> None:
    result = texts("allow", place)
    assert CANARY in said(result)
    assert result.blocked == ()
    assert {each.subject.split("/")[0] for each in result.warnings} == {place}
    assert CANARY not in repr(result.warnings)


def test_what_the_executor_says_in_words() -> None:
    final = replace(FINAL, setup_error=f"no {CANARY}", guard_notes=(f"open {CANARY}",))
    result = screen().texts(Outcome(final=final), None, (), None)
    assert CANARY not in said(result)


def test_a_clean_run_is_left_alone() -> None:
    outcome = Outcome(stdout=bytearray(b"counting\n"), final=FINAL)
    value = {"n": 1}
    result = screen("block").texts(outcome, value, (), None)
    assert result.value is value
    assert result.outcome.stdout == outcome.stdout
    assert (result.blocked, result.warnings) == ((), ())


# --- the verdict


def verdict(action: SecretAction, report: Report, stdout: str = "", exit_code: int = 0) -> Any:
    final = replace(FINAL, exit_code=exit_code)
    outcome = Outcome(stdout=bytearray(stdout.encode()), final=final, result=b"V1")
    return screened(screen(action), outcome, report, Limits())


def test_a_run_that_went_well_is_denied_when_blocked() -> None:
    result = verdict("block", Report(ok=True, value=[CANARY]))
    assert result.verdict.status is Status.DENIED
    assert "the result is withheld" in result.verdict.reason
    assert "output/0: known value or canary (canary)" in result.verdict.reason
    assert CANARY not in repr(result)
    assert verdict("redact", Report(ok=True, value=[CANARY])).verdict.status is Status.SUCCEEDED


def test_a_run_that_failed_keeps_its_status() -> None:
    result = verdict("block", Report(error=SkillError("ValueError", CANARY)), stdout=CANARY, exit_code=1)
    assert result.verdict.status is Status.FAILED
    assert CANARY not in repr(result)
    assert {each.subject for each in result.blocked} == {"stdout", "error"}


def test_the_reason_quotes_no_secret() -> None:
    result = verdict("redact", Report(error=SkillError("ValueError", f"bad {CANARY}")), exit_code=1)
    assert result.verdict.reason == "ValueError: bad [secret removed: canary]"
    result = verdict("redact", Report(problems=(Problem(f"/{CANARY}", f"{CANARY} is not a number"),)))
    assert CANARY not in result.verdict.reason


# --- notes


def note(content: str | bytes, *, path: str = "Inbox/a.md", former: str | None = None, new: bool = True) -> Written:
    raw = content.encode() if isinstance(content, str) else content
    return Written(path, new, raw, former=lambda: None if former is None else former.encode())


def rules_of(judged: Judged) -> list[str]:
    return [each.rule for each in (*judged.refused, *judged.warnings)]


def test_a_secret_in_a_note() -> None:
    written = note(f"# A\n{base64.b64encode(CANARY.encode()).decode()}\n")
    blocked = screen(notes="block").note(written)
    assert [(each.rule, each.subject) for each in blocked.refused] == [("OUT101", "Inbox/a.md")]
    redacted = screen(notes="redact").note(written)
    assert redacted.content == b"# A\n[secret removed: canary]\n"
    allowed = screen(notes="allow").note(written)
    assert (allowed.content, allowed.refused, rules_of(allowed)) == (None, (), ["OUT101"])


def test_a_secret_that_was_there_before_is_the_persons_own() -> None:
    own = f"password of the router: {CANARY}\n{SAMPLES['github'][0]}\n"
    for action in ("block", "redact"):
        done = screen(notes=action).note(note(own + "added\n", former=own, new=False))
        assert (done.content, rules_of(done)) == (None, [])
        twice = screen(notes=action).note(note(own + own, former=own, new=False))
        assert set(rules_of(twice)) == {"OUT101", "OUT102"}
    assert twice.content is not None
    assert twice.content.decode().count(CANARY) == 1


def test_a_secret_in_a_name() -> None:
    done = screen(notes="redact").note(note("", path=f"Inbox/{CANARY.replace('/', '_')}.md"))
    assert rules_of(done) == ["OUT101"]
    assert "Velvet" not in repr(done)
    assert screen(notes="allow").note(note("", path=f"Inbox/{CANARY.replace('/', '_')}.md")).refused == ()
    assert screen().note(note("x", path=f"Inbox/{CANARY}.md", new=False)).refused == ()  # the person's own name


def test_binary_files_are_searched_for_secrets_alone() -> None:
    assert screen().note(note(b"\x00\x01<script>\x1b", path="a.bin")) == Judged()
    assert rules_of(screen().note(note(b"\x00\x01" + CANARY.encode(), path="a.bin"))) == ["OUT101"]
    assert rules_of(screen(notes="redact").note(note(b"\x00" + CANARY.encode(), path="a.bin"))) == ["OUT101"]


def test_a_note_that_claims_to_be_binary_is_a_note() -> None:
    done = screen().note(note(b"\x00<script>x</script>"))
    assert done.content == b"\\x00&lt;script>x</script>"


def test_files_too_large_to_examine() -> None:
    for begin, path, expected in (
        (b"text", "a.csv", ["OUT103"]),
        (b"\x00", "a.bin", []),
        (b"\x00", "a.md", ["OUT103"]),
    ):
        assert rules_of(screen().note(Written(path, True, begin, whole=False))) == expected
    assert screen(notes="allow").note(Written("a.csv", True, b"text", whole=False)).refused == ()


def test_both_at_once() -> None:
    done = screen(notes="redact").note(note(f"{CANARY} <script>x</script>\n"))
    assert done.content == b"[secret removed: canary] &lt;script>x</script>\n"
    assert rules_of(done) == ["OUT101", "OUT201"]


def test_content_rules_on_the_output() -> None:
    value = {"note": "<script>x</script>", "n": [1, "\x1b[31m"]}
    outcome = Outcome(final=FINAL)
    done = screen(output=True).texts(outcome, value, (), None)
    assert done.value == {"note": "&lt;script>x</script>", "n": [1, "\\x1b[31m"]}
    assert screen().texts(outcome, value, (), None).value == value
    refused = screen(output=True, html="refuse").texts(outcome, value, (), None)
    assert refused.value is None
    assert [each.rule for each in refused.blocked] == ["OUT201"]


def test_what_is_told_of_a_landing() -> None:
    from orchestrator.vault.rules import finding

    refused, diff = screen().shown((finding("VLT201", f"Other/{CANARY}.md"),), f"+{CANARY}\n")
    assert "Velvet" not in repr((refused, diff))
    assert CANARY in repr(screen(notes="allow").shown((), f"+{CANARY}\n"))


# --- the shipped levels


@pytest.mark.parametrize(
    ("level", "secrets", "notes", "html"),
    [
        ("strict", "block", "block", "refuse"),
        ("standard", "redact", "block", "escape"),
        ("relaxed", "allow", "allow", "warn"),
    ],
)
def test_the_shipped_levels(level: str, secrets: str, notes: str, html: str) -> None:
    rules = shipped(level).parts.outputs
    assert {getattr(rules.secrets, place) for place in PLACES} == {secrets}
    assert (rules.secrets.notes, rules.content.html) == (notes, html)


def test_a_policy_without_the_tables_is_as_standard() -> None:
    assert shipped("standard").parts.outputs == OutputRules()
