"""``orchestrator status`` and ``orchestrator dashboard``: how everything stands, in the terminal and in the vault."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, plain_table, put_json, safe
from orchestrator.cli.desk import desk
from orchestrator.cli.exits import SETUP, SUCCEEDED, Exit
from orchestrator.dashboard import (
    Dashboard,
    DashboardNote,
    Facts,
    PoolRow,
    Section,
    Sources,
    Writer,
    Written,
    gather,
    sources_of,
)
from orchestrator.dashboard.page import age, counts, moment, when
from orchestrator.dashboard.sources import container_rows
from orchestrator.errors import OrchestratorError
from orchestrator.records import Database
from orchestrator.records.database import nothing_kept
from orchestrator.sandbox.discovery import engine_url
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.ownership import Instance, state_id
from orchestrator.settings import Settings

T = TypeVar("T")
_REFRESH_SECONDS: Final = 2.0
_STYLES: Final = {
    "succeeded": "green", "healthy": "green", "held": "yellow", "running": "cyan", "degraded": "yellow",
    "conflict": "yellow", "failing": "yellow", "quarantined": "red",
}  # fmt: skip
_NUMBERS: Final = frozenset({"runs", "success", "errors", "kept back"})
_WORDS: Final = frozenset({"what", "why"})  # columns that make room for the others
_URGENT: Final = ("alerts", "troubled", "reviews")
_SECTIONS: Final = (*_URGENT, "runs", "skills", "pool")  # what wants a person is first


def show_status(*, watch: bool, vault: Path | None, output: Output) -> Exit:
    """Raises ``RecordsError`` when the records cannot be opened; what else fails is shown as not known."""
    settings = load_settings(vault=vault)
    console = out()
    with _sources(settings) as sources, _board(settings) as board:
        if output is Output.JSON:
            put_json(_document(gather(sources, time.time()), board))
        elif watch and console.is_terminal:
            _watch(console, sources, board)
        else:
            console.print(_shown(gather(sources, time.time()), _fault(board)))
    return SUCCEEDED


def write_dashboard(*, vault: Path | None, output: Output) -> Exit:
    """Not fit: somebody broke the markers, or the file is none that we may rewrite."""
    settings = load_settings(vault=vault)
    path, written = refreshed(settings)
    if output is Output.JSON:
        put_json({"path": path, "state": written.state, "reason": written.reason})
    else:
        word = written.state.replace("_", " ")
        reason = f": {written.reason}" if written.reason else ""
        out().print(Text.assemble(safe(path, "bold", one_line=True), safe(f" {word}{reason}")), soft_wrap=True)
    return SUCCEEDED if written.state in ("written", "unchanged") else SETUP


def refreshed(settings: Settings) -> tuple[str, Written]:
    """Write the dashboard's note in the vault once: its path, and what became of it. Raises what ``desk`` raises."""
    with desk(settings) as at, _sources(settings) as sources:
        note = DashboardNote(at.history, settings.dashboard_path)
        dashboard = Dashboard(note, sources, writer=Writer(state_id(settings.state_dir)))
        return note.path, dashboard.refresh(last=True)


# --- where it comes from -------------------------------------------------------------------------------------------


@contextmanager
def _sources(settings: Settings) -> Iterator[Sources]:
    """Without records, and without an engine, as far as it goes."""
    with ExitStack() as resources:
        if nothing_kept(settings):
            yield Sources(pool=lambda: _pool(settings))
            return
        database = resources.enter_context(Database.of(settings))
        instance = Instance(settings.state_dir)
        resources.callback(instance.release)
        root = "" if settings.vault is None else str(settings.vault.resolve())
        yield sources_of(database, vault=root, pool=lambda: _pool(settings), alive=instance.alive)


def _pool(settings: Settings) -> Sequence[PoolRow]:
    if not (settings.state_dir / "id").exists():
        return ()  # nothing was ever started from here
    with closing(DockerEngine(engine_url(settings))) as engine:
        return container_rows(engine, state_id(settings.state_dir))


@dataclass(frozen=True, slots=True)
class _Board:
    """The dashboard's note, looked at. ``note`` None: the vault cannot be used, which ``fault`` explains."""

    path: str
    note: DashboardNote | None = None
    fault: str = ""

    def to_dict(self) -> dict[str, str]:
        """``left_alone``: why the note cannot be kept; "" where it can."""
        fault = self.fault
        if self.note is not None:
            try:
                fault = self.note.fault()
            except OrchestratorError as error:
                fault = str(error)
        return {"path": self.path, "left_alone": fault}


@contextmanager
def _board(settings: Settings) -> Iterator[_Board | None]:
    """None: no dashboard is kept."""
    if not settings.dashboard or settings.vault is None:
        yield None
        return
    with ExitStack() as resources:
        try:
            at = resources.enter_context(desk(settings))
        except OrchestratorError as error:
            board = _Board(settings.dashboard_path, fault=str(error))
        else:
            board = _Board(settings.dashboard_path, DashboardNote(at.history, settings.dashboard_path))
        yield board


# --- how it looks --------------------------------------------------------------------------------------------------


def _watch(console: Console, sources: Sources, board: _Board | None) -> None:
    try:
        with Live(console=console, auto_refresh=False, screen=True, vertical_overflow="crop") as live:
            while True:
                live.update(_fitted(console, gather(sources, time.time()), board), refresh=True)
                time.sleep(_REFRESH_SECONDS)
    except KeyboardInterrupt:
        return  # that is how watching ends


def _fitted(console: Console, facts: Facts, board: _Board | None) -> Group:
    """On one screen: as many rows of every section as there is room for, one more of what wants a person. What is left
    out is counted."""
    fault = _fault(board)

    def cut(step: int) -> Facts:
        most = {name: (step + (name in _URGENT)) // 2 for name in _SECTIONS}
        sections: dict[str, Any] = {name: _first(getattr(facts, name), most[name]) for name in _SECTIONS}
        return replace(facts, **sections)

    def too_high(step: int) -> bool:
        rows = [len(getattr(cut(step), name).rows) for name in _SECTIONS]
        lines = 1 + bool(fault) + sum(2 + count if count else 1 for count in rows)  # none is broken in two
        return lines > console.height

    return _shown(cut(bisect_left(range(1, 2 * console.height), True, key=too_high)), fault, brief=True)


def _first(section: Section[T], most: int) -> Section[T]:
    return replace(section, rows=section.rows[:most], more=section.more + max(0, len(section.rows) - most))


def _document(facts: Facts, board: _Board | None) -> dict[str, Any]:
    document: dict[str, Any] = {"at": facts.at, "dashboard": None if board is None else board.to_dict()}
    for name in _SECTIONS:
        section = getattr(facts, name)
        document[name] = {
            "rows": [asdict(row) for row in section.rows],
            "more": section.more,
            "unknown": section.unknown,
        }
    return document


def _fault(board: _Board | None) -> str:
    """A line about the dashboard's note; "" for none."""
    reason = "" if board is None else board.to_dict()["left_alone"]
    return f"the dashboard {board.path} is left alone: {reason}" if board is not None and reason else ""


def _shown(facts: Facts, fault: str, *, brief: bool = False) -> Group:
    """``fault``: a line about the dashboard's note; "" for none. ``brief``: a line for each row, ages for moments."""
    moments = _age if brief else when
    parts: list[Table | Text] = [Text(f"as of {moment(facts.at)}", style="dim")]
    if fault:
        parts.append(_on_one_line(safe(fault, "yellow", one_line=True), brief))
    for title, section, columns, cells in _tables(facts, lambda at: moments(at, facts.at)):
        rows = [cells(row) for row in section.rows]
        parts += _brief(title, section, columns, rows) if brief else _table(title, section, columns, rows)
    return Group(*parts)


def _age(at: float | None, now: float) -> str:
    return "-" if at is None else age(now - at)


_Part = tuple[str, Section[Any], tuple[str, ...], Callable[[Any], tuple[str, ...]]]


def _tables(facts: Facts, at: Callable[[float | None], str]) -> Iterator[_Part]:
    """Title, rows, columns, and what makes cells of a row."""
    yield "last alerts", facts.alerts, ("alert", "skill", "what", "when", "kept back"), lambda row: (
        row.kind, row.skill or "-", row.message, at(row.at), str(row.suppressed or "-"),
    )  # fmt: skip
    yield "skills in trouble", facts.troubled, ("skill", "state", "why", "last executed"), lambda row: (
        row.skill, row.state, row.why, at(row.at),
    )  # fmt: skip
    yield "waiting for a review", facts.reviews, ("item", "skill", "about", "why", "asked", "expires"), lambda row: (
        row.id, row.skill, row.kind, row.reason, at(row.asked_at), at(row.expires_at),
    )  # fmt: skip
    yield "last runs", facts.runs, ("run", "skill", "ended", "status"), lambda row: (
        row.run_id, row.skill, at(row.at), row.status,
    )  # fmt: skip
    yield "skills", facts.skills, ("skill", "runs", "success", "errors", "last executed", "state"), lambda row: (
        row.skill, str(row.runs), "-" if row.success_rate is None else f"{row.success_rate:.1%}", str(row.errors),
        at(row.last_at), row.state,
    )  # fmt: skip
    yield "sandboxes", facts.pool, ("of", "state"), lambda row: (row.what, counts(row))


def _table(
    title: str, section: Section[T], columns: tuple[str, ...], rows: Sequence[Sequence[str]]
) -> Iterator[Table | Text]:
    yield Text()
    yield Text(title, style="bold underline")
    if section.unknown:
        yield Text.assemble(("not known: ", "yellow"), safe(section.unknown, one_line=True))
        return
    if not rows:
        yield Text("none", style="dim")
        return
    yield _filled(columns, rows)
    if section.more:
        yield Text(f"and {section.more} more", style="dim")


def _brief(
    title: str, section: Section[T], columns: tuple[str, ...], rows: Sequence[Sequence[str]]
) -> Iterator[Table | Text]:
    """Without a line that is not needed: a heading says by itself that there is nothing below it, or more."""
    heading = Text(title, style="bold underline")
    if section.unknown:
        rest = Text.assemble((": not known: ", "yellow"), safe(section.unknown, one_line=True))
    elif rows:
        rest = Text(f", and {section.more} more" if section.more else "", style="dim")
    else:
        rest = Text(f": {section.more or 'none'}", style="dim")
    yield _on_one_line(Text.assemble(heading, rest), True)
    if rows and not section.unknown:
        yield _filled(columns, rows, brief=True)


def _filled(columns: tuple[str, ...], rows: Sequence[Sequence[str]], *, brief: bool = False) -> Table:
    table = plain_table(*columns, right=tuple(each for each in columns if each in _NUMBERS))
    for column in table.columns if brief else ():
        column.no_wrap, column.overflow = column.header not in _WORDS, "ellipsis"
    for row in rows:
        table.add_row(*(_on_one_line(safe(each, _STYLES.get(each, ""), one_line=True), brief) for each in row))
    return table


def _on_one_line(text: Text, brief: bool) -> Text:
    """``text``, cut where the line ends if ``brief``."""
    if brief:
        text.no_wrap, text.overflow = True, "ellipsis"
    return text
