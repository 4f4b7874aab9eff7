"""``orchestrator run``: one skill, once, from files and options to a result on the terminal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO

from orchestrator import strictjson
from orchestrator.cli.configuration import COLD, load_settings
from orchestrator.cli.console import Enforcement, Output, Spinner, put, put_json, say
from orchestrator.cli.desk import login_name, plain
from orchestrator.cli.exits import OF_STATUS, TERMINATED, Exit
from orchestrator.cli.failures import show_tracebacks
from orchestrator.cli.render import dry_run_lines, next_step_lines, result_lines, result_value
from orchestrator.cli.skills import opened
from orchestrator.core import Orchestrator
from orchestrator.errors import InputsError
from orchestrator.events import RunEvent
from orchestrator.interruption import Interruption, cancelling, in_thread
from orchestrator.manifest import SkillManifest
from orchestrator.manifest.sources import load_skill
from orchestrator.registry import reference_in
from orchestrator.results.model import RunResult, Status
from orchestrator.settings import Settings
from orchestrator.text import escape_controls
from orchestrator.validation.inputs import MAX_INPUT_BYTES, MAX_INPUT_DEPTH

LONGEST_HELD: Final = 4096  # characters of an unfinished line that are held back


def run_skill(
    manifest: Path,
    *,
    inputs: str | None,
    vault: Path | None,
    level: str | None,
    timeout: float | None,
    dry_run: bool,
    retry_conflicts: bool,
    enforcement: Enforcement | None,
    session: str | None,
    principal: str | None,
    fresh: bool,
    output: Output,
) -> Exit:
    """Raises what ``Orchestrator`` raises; the caller turns that into an exit code."""
    given = read_inputs(inputs)
    settings = load_settings(vault=vault, warm_targets=COLD)
    if show_tracebacks.get():
        settings = settings.model_copy(update={"log_level": "verbose"})  # keeps the skill's own too; the log stays
    skill = _skill(manifest, settings)
    spinner = Spinner("waiting for a sandbox")
    echo = Echo(sys.stderr, spinner)
    with interruptible() as cancel, spinner, closing_at_once(Orchestrator(settings)) as orchestrator:
        run = partial(
            orchestrator.run,
            skill,
            given,
            level=level,
            timeout=timeout,
            on_event=echo if output is Output.TEXT else None,
            cancel=cancel,
            commit=not dry_run,
            on_conflict="retry" if retry_conflicts else "report",
            enforcement=None if enforcement is None else enforcement.mode,
            session=None if session is None else orchestrator.session(id=plain(session)),
            principal=login_name() if principal is None else plain(principal, 200),
            fresh=fresh,
        )
        result = in_thread(run, hurry=partial(orchestrator.close, 0))
        spinner.stop()
        echo.end()
        _show(result, skill, vault, dry_run=dry_run, output=output)  # closing may take seconds: alerts may hang
    return exit_of(result.status, cancel)


def _show(result: RunResult, skill: SkillManifest, vault: Path | None, *, dry_run: bool, output: Output) -> None:
    if output is Output.TEXT:
        for line in result_lines(result, skill.code):
            say(line)
        for line in dry_run_lines(result) if dry_run else next_step_lines(result, vault):
            say(line)
        if result.status in (Status.SUCCEEDED, Status.HELD):  # both ran well
            put(result_value(result))
    else:
        put_json(result.to_dict())
    sys.stdout.flush()


def _skill(manifest: Path, settings: Settings) -> SkillManifest:
    """The registered skill of that name, or the one in the file."""
    reference = reference_in(str(manifest))
    if reference is None:
        return load_skill(manifest)
    with opened(settings) as registry:
        return registry.resolve(reference)


def exit_of(status: Status, cancel: Interruption) -> Exit:
    """A run that came to its end before it could be cancelled ended as it did."""
    if status is Status.CANCELLED and cancel.signal == signal.SIGTERM:
        return TERMINATED
    return OF_STATUS[status]


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """``cancelling``, and the second signal ends the process: what it leaves then, the janitor removes."""
    try:
        with cancelling(tell=True) as cancel:
            yield cancel
    except KeyboardInterrupt:
        if cancel.count < 2:
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(cancel.exit_code)  # threads that are stuck would keep a plain exit waiting


@contextmanager
def closing_at_once(orchestrator: Orchestrator) -> Iterator[Orchestrator]:
    """Nothing runs any more when this ends, so there is nothing to wait for; nor is there for who hurries."""
    try:
        yield orchestrator
    except KeyboardInterrupt:
        raise
    except BaseException:
        orchestrator.close(0)
        raise
    orchestrator.close(0)


def read_inputs(argument: str | None) -> Mapping[str, Any] | None:
    """The object in ``argument``, or in the file that it names behind an @ (@-: standard input). ``InputsError``."""
    if argument is None:
        return None
    what, raw = (
        ("--inputs", argument.encode("utf-8", "surrogateescape")) if argument[:1] != "@" else _read(argument[1:])
    )
    try:
        value = strictjson.loads(raw, max_bytes=MAX_INPUT_BYTES, max_depth=MAX_INPUT_DEPTH, what=what)
    except strictjson.StrictJSONError as error:
        raise InputsError(str(error), hint='give one JSON object, like --inputs \'{"folder": "Inbox"}\'') from None
    if not isinstance(value, dict):
        raise InputsError(f"{what}: the inputs must be a JSON object, with one key for each argument")
    return value


def _read(name: str) -> tuple[str, bytes]:
    if name == "-":
        return "standard input", sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
    try:
        with Path(name).open("rb") as file:
            return name, file.read(MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise InputsError(f"{name} cannot be read: {error.strerror}", hint="--inputs @FILE names a JSON file") from None


class Echo:
    """Shows a skill's output while it runs: whole lines, escaped, each behind a bar that no skill can print.

    So nothing a skill writes can be taken for a line of ours.
    """

    def __init__(self, stream: TextIO, spinner: Spinner) -> None:
        self._stream = stream
        self._spinner = spinner
        self._held = {"stdout": "", "stderr": ""}

    def __call__(self, event: RunEvent) -> None:
        self._spinner.stop()
        if event.kind in self._held:
            *lines, rest = (self._held[event.kind] + event.text).split("\n")
            if len(rest) > LONGEST_HELD:
                lines, rest = [*lines, rest], ""
            self._held[event.kind] = rest
            self._show(lines)

    def end(self) -> None:
        """What was left without an end of line."""
        for kind, rest in self._held.items():
            self._show([rest] if rest else [])
            self._held[kind] = ""

    def _show(self, lines: list[str]) -> None:
        self._stream.write("".join(f"  | {escape_controls(line, keep_newlines=False)}\n" for line in lines))
        self._stream.flush()
