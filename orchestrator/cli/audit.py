"""``orchestrator audit ...``: the audit trail, verified and read. No engine is asked; only ``begin`` writes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import typer
from rich.text import Text

from orchestrator.audit import key as keys
from orchestrator.audit.anchors import MAX_BYTES, AnchorFile
from orchestrator.audit.anchors import NAME as ANCHORS
from orchestrator.audit.beginning import begin_anew
from orchestrator.audit.export import lines
from orchestrator.audit.query import INTERRUPTED, RUNNING, Reader, Record, Run, Wanted
from orchestrator.audit.records import RAISED
from orchestrator.audit.verify import Found, Verdict, verify
from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, plain_table, put, put_json, safe, say
from orchestrator.cli.exits import FAILED, SUCCEEDED, Exit
from orchestrator.cli.render import moment
from orchestrator.records import Database
from orchestrator.results.model import Status
from orchestrator.sandbox.ownership import Instance, private_directory
from orchestrator.settings import Settings
from orchestrator.text import one_line

_STATES: Final = (*sorted(Status), RAISED, INTERRUPTED, RUNNING)
_AGO: Final = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WORDS: Final = {"succeeded": "green", "allowed": "", "running": "cyan", INTERRUPTED: "yellow", "denied": "yellow"}


@contextmanager
def _reader(settings: Settings) -> Iterator[Reader]:
    """Raises ``RecordsError`` where the database cannot be read."""
    instance = Instance(settings.state_dir)
    try:
        with Database.of(settings) as database:
            yield Reader(database, instance.alive)
    finally:
        instance.release()


def _us(text: str | None, name: str) -> int:
    """A time as microseconds since 1970: ISO 8601, local unless it says otherwise, or so long ago, like 90m or 7d."""
    if text is None:
        return 0
    now = datetime.now(UTC)
    if ago := _AGO.fullmatch(text):
        return int((now.timestamp() - int(ago[1]) * _SECONDS[ago[2]]) * 1e6)
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1e6)
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(f"{name} is a time like 2026-03-01T12:00, or like 90m or 7d ago") from None


# --- verify --------------------------------------------------------------------------------------------------------


def verify_trail(*, anchors: Path | None, output: Output) -> Exit:
    """Not well: something was found. Raises ``RecordsError`` where trail, keys or anchors cannot be read."""
    settings = load_settings()
    verdict = verified(settings, more=b"" if anchors is None else _given(anchors))
    if output is Output.JSON:
        put_json({"ok": verdict.ok, **_figures(verdict), "found": [asdict(each) for each in verdict.found],
                  "notes": verdict.notes})  # fmt: skip
    else:
        show_verdict(verdict)
    return SUCCEEDED if verdict.ok else FAILED


def verified(settings: Settings, *, more: bytes = b"") -> Verdict:
    """The whole trail, by its keys and anchors; ``more``: further anchor lines. Raises ``RecordsError``."""
    private_directory(settings.state_dir)
    with Database.of(settings) as database:
        return verify(database, settings.state_dir / keys.NAME, _anchor_file(settings), more=more)


def _given(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except OSError as error:
        raise typer.BadParameter(f"--anchors: {error.strerror}") from None


def _figures(verdict: Verdict) -> dict[str, Any]:
    rate = round(verdict.records / verdict.seconds) if verdict.seconds else 0
    return {"records": verdict.records, "first": verdict.first, "last": verdict.last, "anchors": verdict.anchors,
            "seconds": round(verdict.seconds, 3), "records_per_second": rate}  # fmt: skip


def show_verdict(verdict: Verdict) -> None:
    console, figures = out(), _figures(verdict)
    for each in verdict.found:
        place = Text(_place(each), style="bold")
        line = Text.assemble((f"{each.fault.value:<11}", "red"), place, "  ", safe(each.meaning, one_line=True))
        console.print(line, soft_wrap=True)
    for note in verdict.notes:
        console.print(safe(f"note: {note}", "dim", one_line=True), soft_wrap=True)
    what = "whole" if verdict.ok else "NOT whole"
    console.print(
        f"the audit trail is {what}: {figures['records']} records, {figures['anchors']} anchors, "
        f"{figures['records_per_second']} records a second",
        soft_wrap=True,
    )


def _place(found: Found) -> str:
    if not found.first:
        return ""
    return f"record {found.first}" if found.first == found.last else f"records {found.first} to {found.last}"


def begin_trail(*, output: Output) -> Exit:
    """Raises ``RecordsError`` where there is a trail, or no key."""
    settings = load_settings()
    private_directory(settings.state_dir)
    with Database.of(settings) as database:
        former = begin_anew(database, settings.state_dir / keys.NAME, _anchor_file(settings))
    if output is Output.JSON:
        put_json({"former_anchors": former})
        return SUCCEEDED
    out().print("a new audit trail is begun")
    if former:
        out().print(safe(f"the former anchors are kept as {former}", one_line=True), soft_wrap=True)
    return SUCCEEDED


def _anchor_file(settings: Settings) -> AnchorFile:
    return AnchorFile(settings.audit_anchor_file or settings.state_dir / ANCHORS)


# --- reading -------------------------------------------------------------------------------------------------------


def tail_trail(*, lines_wanted: int, output: Output) -> Exit:
    with _reader(load_settings()) as reader:
        found = reader.tail(lines_wanted)
        states = reader.states(found)
    if output is Output.JSON:
        put_json([asdict(each) | {"state": states.get(each.run_id, "")} for each in found])
        return SUCCEEDED
    table = plain_table("no.", "when", "what", "run", "skill", "status", "who", right=("no.",), whole=("run",))
    for each in found:
        status = each.status
        if each.kind == "intent" and states.get(each.run_id) == INTERRUPTED:
            status = f"{status}, {INTERRUPTED}"
        row = (_when(each), each.kind, each.run_id, each.skill)
        table.add_row(str(each.seq), *(safe(cell, one_line=True) for cell in row), _state(status),
                      safe(each.principal, one_line=True))  # fmt: skip
    out().print(table if found else "the audit trail is empty")
    return SUCCEEDED


def _when(record: Record) -> str:
    """Somebody may have put something else there than a time."""
    return one_line(record.odd_at, 40) if record.odd_at else moment(record.at_us / 1e6)


def _state(word: str) -> Text:
    return safe(word, _WORDS.get(word, "red" if word in ("failed", "raised", "sandbox_error") else ""), one_line=True)


def show_run(run_id: str, *, output: Output) -> Exit:
    """Raises ``BadParameter`` for a run that the trail knows nothing of."""
    with _reader(load_settings()) as reader:
        run = reader.show(run_id)
    if run is None:
        raise typer.BadParameter(f"the audit trail has no run {str(safe(run_id, one_line=True))!r}")
    if output is Output.JSON:
        put_json(asdict(run))
        return SUCCEEDED
    console = out()
    console.print(Text.assemble("run ", safe(run.run_id, "bold", one_line=True), ": ", _state(run.state)))
    for record in filter(None, (run.intent, *run.events, run.outcome)):
        _show_record(record)
    if run.passed:
        console.print(f"checks passed: {len(run.passed)} rules: {', '.join(run.passed)}", soft_wrap=True)
    if run.code:
        console.print(Text("code:", style="bold"))
        console.print(safe(run.code), soft_wrap=True)
    return SUCCEEDED


def _show_record(record: Record) -> None:
    console = out()
    who = f" by {record.principal}" if record.principal else ""
    heading = f"{record.kind} (record {record.seq}), {_when(record)}{who}: {record.status}"
    console.print(safe(heading, "bold", one_line=True), soft_wrap=True)
    for name, value in sorted(record.body.items()):
        if value not in (None, "", [], {}) and name != "format":
            shown = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            console.print(Text.assemble((f"  {name}: ", "dim"), safe(shown, one_line=True)), soft_wrap=True)


def search_trail(wanted: dict[str, str], *, since: str | None, until: str | None, limit: int, output: Output) -> Exit:
    if wanted["state"] not in ("", *_STATES):
        raise typer.BadParameter(f"--state is one of {', '.join(_STATES)}")
    chosen = Wanted(**wanted, since_us=_us(since, "--since"), until_us=_us(until, "--until"))
    with _reader(load_settings()) as reader:
        found = reader.search(chosen, limit)
    if output is Output.JSON:
        put_json([_short(each) for each in found])
        return SUCCEEDED
    if not found:
        say("no run is like that")
        return SUCCEEDED
    table = plain_table("when", "run", "skill", "state", "who", whole=("run",))
    for intent, state in ((each.intent, each.state) for each in found if each.intent is not None):
        row = [safe(cell, one_line=True) for cell in (_when(intent), intent.run_id, intent.skill)]
        table.add_row(*row, _state(state), safe(intent.principal, one_line=True))
    out().print(table)
    return SUCCEEDED


def _short(run: Run) -> dict[str, Any]:
    intent = run.intent
    facts = {} if intent is None else {
        "seq": intent.seq, "at_us": intent.at_us, "skill": intent.skill, "principal": intent.principal,
        "session": intent.session, "decision": intent.status,
    }  # fmt: skip
    return {"run_id": run.run_id, "state": run.state, **facts}


def export_trail(*, since: str | None, until: str | None, out_file: Path | None) -> Exit:
    """JSON Lines, to standard output or to a file that must not be there yet (mode 0600)."""
    since_us, until_us = _us(since, "--since"), _us(until, "--until")
    with _reader(load_settings()) as reader:
        found = lines(reader.records(since_us, until_us))
        if out_file is None:
            for line in found:
                put(line)
            sys.stdout.flush()
            return SUCCEEDED
        try:
            out_file.touch(mode=0o600, exist_ok=False)
        except OSError as error:
            raise typer.BadParameter(f"--out: {error.strerror}") from None
        with out_file.open("w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in found)
    return SUCCEEDED
