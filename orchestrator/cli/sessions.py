"""``orchestrator sessions``: budgets over several runs, shown and closed. No engine is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.text import Text

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, plain_table, put_json, safe
from orchestrator.cli.desk import plain
from orchestrator.cli.exits import SUCCEEDED, Exit
from orchestrator.cli.render import moment
from orchestrator.records import Database
from orchestrator.sandbox.ownership import private_directory
from orchestrator.sessions import Sessions, SessionState

_BUDGETS = (("runs", "runs", ""), ("wall_seconds", "wall time", " s"), ("cpu_seconds", "CPU time", " s"),
            ("network_requests", "network requests", ""))  # fmt: skip


@contextmanager
def _opened() -> Iterator[Sessions]:
    settings = load_settings()
    private_directory(settings.state_dir)
    with Database.of(settings) as database:
        yield Sessions(database)


def list_sessions(*, every: bool, output: Output) -> Exit:
    with _opened() as sessions:
        found = sessions.list(every=every)
    if output is Output.JSON:
        put_json([_document(each) for each in found])
    elif not found:
        out().print("there are no sessions" if every else "no session is open")
    else:
        table = plain_table("id", "state", "last used", *(title for _, title, _ in _BUDGETS), "label")
        for each in found:
            used = (_used(each, name, unit) for name, _, unit in _BUDGETS)
            row = (each.id, each.condition, moment(each.used_at), *used, each.label)
            table.add_row(*(safe(cell, one_line=True) for cell in row))
        out().print(table)
    return SUCCEEDED


def show_session(session_id: str, *, output: Output) -> Exit:
    with _opened() as sessions:
        state = sessions.get(plain(session_id))
    return _show(state, output)


def close_session(session_id: str, *, output: Output) -> Exit:
    with _opened() as sessions:
        state = sessions.close(plain(session_id))
    return _show(state, output)


def _show(state: SessionState, output: Output) -> Exit:
    if output is Output.JSON:
        put_json(_document(state))
        return SUCCEEDED
    console = out()
    console.print(Text.assemble(safe(state.id, "bold", one_line=True), "  ", state.condition), soft_wrap=True)
    lines = [("label", state.label), ("opened", moment(state.opened_at)), ("last used", moment(state.used_at))]
    lines += [(title, _used(state, name, unit)) for name, title, unit in _BUDGETS]
    lines.append(("runs under way", str(state.reserved.runs)))
    for name, value in lines:
        console.print(Text.assemble((f"  {name}: ", "dim"), safe(value, one_line=True)), soft_wrap=True)
    return SUCCEEDED


def _used(state: SessionState, name: str, unit: str) -> str:
    used, budget = getattr(state.used, name), getattr(state.budget, name)
    shown = f"{used:.1f}" if unit else str(used)
    return f"{shown}{unit}" if budget is None else f"{shown} of {budget:g}{unit}"


def _document(state: SessionState) -> dict[str, Any]:
    return asdict(state) | {"left": asdict(state.left)}
