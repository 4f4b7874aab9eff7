"""``Screen``: one run's output, streams, error and notes, held against what its level says about them.

It stands between the run and everything that reads its outcome: the verdict, the vault, the result, the records. What
it returns may be handed on. A fault in here is an exception and ends the run without a result: nothing slips through.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from orchestrator.errors import Problem
from orchestrator.outputs.content import treated
from orchestrator.outputs.hits import Hit
from orchestrator.outputs.known import KnownValues
from orchestrator.outputs.secrets import WITHHELD, Detector, added, cut, findings
from orchestrator.outputs.stream import Stream
from orchestrator.outputs.values import screened, with_strings
from orchestrator.policy.outputs import OutputRules, SecretAction
from orchestrator.sandbox.outcome import Outcome
from orchestrator.validation.finding import Finding
from orchestrator.vault.content import Judged, Written

_MARKDOWN: Final = (".md", ".markdown", ".mdown", ".mkd", ".mkdn", ".mdx", ".qmd", ".rmd")
_BINARY_PREFIX: Final = 8000  # bytes, where a NUL makes content binary, as git has it


@dataclass(slots=True)
class _Told:
    blocked: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Texts:
    """The text of one run, as it may be handed on. ``blocked``: why its result is not."""

    outcome: Outcome
    value: Any
    problems: tuple[Problem, ...]
    error: tuple[str, str, str] | None  # type, message, traceback
    blocked: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


class Screen:
    """For one run. Stateless but for what it was made of."""

    def __init__(self, rules: OutputRules, known: KnownValues | None = None) -> None:
        self._rules = rules
        self._detector = Detector(known or KnownValues(), frozenset(rules.secrets.ignore))

    # --- texts -----------------------------------------------------------------------------------------------------

    def texts(
        self, outcome: Outcome, value: Any, problems: tuple[Problem, ...], error: tuple[str, str, str] | None
    ) -> Texts:
        """What an outcome and its parsed report say. Problems may quote the output, so they go with it."""
        told, rules = _Told(), self._rules.secrets
        outcome = replace(
            outcome,
            stdout=bytearray(self._text(bytes(outcome.stdout), "stdout", rules.stdout, told)),
            stderr=bytearray(self._text(bytes(outcome.stderr), "stderr", rules.stderr, told)),
            final=self._final(outcome, told),
        )
        value = self._value(value, told)
        problems = tuple(
            Problem(self._string(each.pointer, "output", rules.output, told),
                    self._string(each.message, "output", rules.output, told), each.expected)
            for each in problems
        )  # fmt: skip
        if error is not None:
            kind, message, traceback = (self._string(each, "error", rules.error, told) for each in error)
            error = kind, message, traceback
        blocked = tuple(dict.fromkeys(told.blocked))
        return Texts(outcome, None if blocked else value, problems, error, blocked, tuple(dict.fromkeys(told.warnings)))

    def _final(self, outcome: Outcome, told: _Told) -> Any:
        """What the supervisor and the executor say in words: a skill that took the executor over chose those."""
        final, action = outcome.final, self._rules.secrets.error
        if final is None or not (final.setup_error or final.guard_notes):
            return final
        notes = tuple(self._string(each, "error", action, told) for each in final.guard_notes)
        return replace(final, setup_error=self._string(final.setup_error, "error", action, told), guard_notes=notes)

    def _string(self, text: str, place: str, action: SecretAction, told: _Told) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        done = self._text(raw, place, action, told)
        return text if done is raw else done.decode("utf-8", "replace")

    def _text(self, raw: bytes, place: str, action: SecretAction, told: _Told) -> bytes:
        if not raw or not (hits := self._detector.find(raw)):
            return raw
        if action == "block":
            told.blocked += findings(hits, place, warning=False)
            return WITHHELD.encode()
        told.warnings += findings(hits, place, warning=True)
        return self._detector.redacted(raw, hits) if action == "redact" else raw

    def _value(self, value: Any, told: _Told) -> Any:
        action = self._rules.secrets.output
        clean, warnings, errors = screened(value, self._detector)
        if warnings and action == "block":
            told.blocked += errors
            return None
        told.warnings += warnings
        if action == "redact":
            value = clean
        return self._treated(value, told) if self._rules.content.output else value

    def _treated(self, value: Any, told: _Told) -> Any:
        def change(text: str) -> str:
            raw = text.encode("utf-8", "surrogatepass")
            done = treated(raw, self._rules.content, "output")
            told.blocked += done.refused
            told.warnings += done.warnings
            return text if done.text is raw else done.text.decode("utf-8", "replace")

        return with_strings(value, change)

    def stream(self, name: str) -> Stream:
        """What of "stdout" or "stderr" may be shown while the run goes on."""
        action: SecretAction = getattr(self._rules.secrets, name)
        return Stream(self._detector, action)

    # --- notes -----------------------------------------------------------------------------------------------------

    def note(self, written: Written) -> Judged:
        """Judge one file or directory that the run wrote: its name, then secrets, then active content."""
        place = self._detector.redacted_text(written.path)
        if written.new and place != written.path and self._rules.secrets.notes != "allow":
            hits = self._detector.find(written.path.encode())
            return Judged(refused=tuple(findings(hits, f"the name {place}", warning=False)))
        if not written.content:
            return Judged()
        markdown = written.path.lower().endswith(_MARKDOWN)
        if not written.whole:
            return self._unexamined(written, place, markdown)
        secrets = self._note_secrets(written, place)
        if secrets.refused:
            return secrets
        text = written.content if secrets.content is None else secrets.content
        if not markdown and _is_binary(text):
            return secrets
        done = treated(text, self._rules.content, place, markdown=markdown, former=written.former)
        content = done.text if done.text is not written.content else None
        return Judged(content, done.refused, (*secrets.warnings, *done.warnings))

    def _note_secrets(self, written: Written, place: str) -> Judged:
        """Known values are looked for in every file, patterns too: few are so long that bytes hold them by chance."""
        hits = self._detector.find(written.content)
        if hits and (former := written.former()):
            hits = added(written.content, hits, former, self._detector.find(former))
        if not hits:
            return Judged()
        action = self._rules.secrets.notes
        if action == "block" or (action == "redact" and _is_binary(written.content)):
            return Judged(refused=tuple(findings(hits, place, warning=False)))
        warnings = tuple(findings(hits, place, warning=True))
        if action == "allow":
            return Judged(warnings=warnings)
        return self._redacted(written, hits, warnings, place)

    def _redacted(self, written: Written, hits: list[Hit], warnings: tuple[Finding, ...], place: str) -> Judged:
        """The person's own secrets in the note stay, so what is left is compared instead of found to be nothing."""
        if any(hit.rule == "OUT103" for hit in hits):
            return Judged(refused=tuple(findings(hits, place, warning=False)))
        content = cut(written.content, hits)
        former = written.former() or b""
        if left := added(content, self._detector.find(content), former, self._detector.find(former)):
            return Judged(refused=tuple(findings(left, place, warning=False)))
        return Judged(content, warnings=warnings)

    def _unexamined(self, written: Written, place: str, markdown: bool) -> Judged:
        """A file too large to look at: one that is binary passes, text only where secrets may."""
        if _is_binary(written.content) and not markdown:
            return Judged()
        allowed = self._rules.secrets.notes == "allow"
        hit = Hit("OUT103", "not examined", 0, 0)
        told = tuple(findings([hit], place, warning=allowed))
        return Judged(warnings=told) if allowed else Judged(refused=told)

    def shown(self, refused: tuple[Finding, ...], diff: str) -> tuple[tuple[Finding, ...], str]:
        """What is told of a landing: names that a run chose, and lines of notes, without secrets."""
        if self._rules.secrets.notes == "allow":
            return refused, diff
        clean = self._detector.redacted_text
        told = tuple(replace(each, subject=clean(each.subject), message=clean(each.message)) for each in refused)
        return told, clean(diff) if diff else diff


def _is_binary(content: bytes) -> bool:
    return b"\0" in content[:_BINARY_PREFIX]
