"""``orchestrator sessions``: budgets over several runs, opened, shown and closed. No engine is asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.text import Text

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, plain_table, put, put_json, safe, say
from orchestrator.cli.desk import login_name, plain, trail_if_needed
from orchestrator.cli.exits import SUCCEEDED, Exit
from orchestrator.cli.render import moment
from orchestrator.errors import SessionError
from orchestrator.records import Database
from orchestrator.sandbox.ownership import private_directory
from orchestrator.sessions import Budget, Sessions, SessionState
from orchestrator.sessions.store import IDLE_SECONDS, MOST_COUNT, MOST_SECONDS

_BUDGETS = (("runs", "runs", ""), ("wall_seconds", "wall time", " s"), ("cpu_seconds", "CPU time", " s"),
            ("network_requests", "network requests", ""))  # fmt: skip

_SENSIBLE = (
    f"seconds are above 0 and at most {MOST_SECONDS:,.0f}; runs from 1 and network requests from 0, at most "
    f"{MOST_COUNT:,}; an option that is left out bounds nothing"
)


@contextmanager
def _opened() -> Iterator[Sessions]:
    settings = load_settings()
    private_directory(settings.state_dir)
    with Database.of(settings) as database, trail_if_needed(database, settings) as trail:
        yield Sessions(database, keep=lambda change: trail().keep(change))


def open_session(budget: Budget, *, label: str, output: Output) -> Exit:
    """Raises ``SessionError`` for a budget that is none, and without any: whoever forgets it would bound nothing."""
    if budget == Budget():
        raise SessionError(
            "a session needs a budget",
            hint="give at least one of --wall-seconds, --cpu-seconds, --runs and --network-requests",
        )
    with _opened() as sessions:
        try:
            state = sessions.open(budget, label, by=login_name(str(os.getuid())))
        except SessionError as error:
            raise SessionError(str(error), hint=_SENSIBLE) from error
    if output is Output.JSON:
        put_json(_document(state))
        return SUCCEEDED
    put(state.id)
    bounds = (
        f"{title}: {most:.10g}{unit}" for name, title, unit in _BUDGETS if (most := getattr(budget, name)) is not None
    )
    say(f"the session is open ({', '.join(bounds)}); `orchestrator run --session {state.id}` runs on its budget")
    return SUCCEEDED


def list_sessions(*, every: bool, output: Output) -> Exit:
    with _opened() as sessions:
        found = sessions.list(every=every)
    if output is Output.JSON:
        put_json([_document(each) for each in found])
    elif not found:
        out().print("there are no sessions" if every else "no session is open")
    else:
        table = plain_table("id", "state", "last used", *(title for _, title, _ in _BUDGETS), "label")
        table.columns[0].no_wrap = True  # to be copied
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
        state = sessions.close(plain(session_id), by=login_name(str(os.getuid())))
    return _show(state, output)


def _show(state: SessionState, output: Output) -> Exit:
    if output is Output.JSON:
        put_json(_document(state))
        return SUCCEEDED
    console = out()
    console.print(Text.assemble(safe(state.id, "bold", one_line=True), "  ", state.condition), soft_wrap=True)
    lines = [("label", state.label), ("opened", moment(state.opened_at)), ("last used", moment(state.used_at))]
    if state.condition == "open":
        lines.append(("expires unless used before", moment(state.used_at + IDLE_SECONDS)))
    lines += [(title, _used(state, name, unit) + _set_aside(state, name, unit)) for name, title, unit in _BUDGETS]
    lines.append(("runs under way", str(state.reserved.runs)))
    for name, value in lines:
        console.print(Text.assemble((f"  {name}: ", "dim"), safe(value, one_line=True)), soft_wrap=True)
    return SUCCEEDED


def _used(state: SessionState, name: str, unit: str) -> str:
    """Of one budget, and what is left of it; of a session that has ended nothing can be had."""
    used, budget, left = (getattr(each, name) for each in (state.used, state.budget, state.left))
    if budget is None:
        return _amount(used, unit)
    shown = f"{_amount(used, '')} of {budget:.10g}{unit}"
    return f"{shown}, {_amount(left, unit)} left" if state.condition == "open" else shown


def _set_aside(state: SessionState, name: str, unit: str) -> str:
    """For runs under way: neither used nor left."""
    reserved = getattr(state.reserved, name)
    return f", {_amount(reserved, unit)} set aside" if reserved else ""


def _amount(value: float, unit: str) -> str:
    return f"{value:.1f}{unit}" if isinstance(value, float) else f"{value}{unit}"


def _document(state: SessionState) -> dict[str, Any]:
    return asdict(state) | {"left": asdict(state.left)}
