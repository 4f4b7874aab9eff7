"""``orchestrator status`` and ``orchestrator dashboard``: how everything stands, in the terminal and in the vault."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
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
    Written,
    gather,
    sources_of,
)
from orchestrator.dashboard.page import counts, moment, when
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
    "conflict": "yellow",
}  # fmt: skip


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
            console.print(_shown(gather(sources, time.time()), board))
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
        return note.path, Dashboard(note, sources).refresh()


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
                live.update(_shown(gather(sources, time.time()), board), refresh=True)
                time.sleep(_REFRESH_SECONDS)
    except KeyboardInterrupt:
        return  # that is how watching ends


def _document(facts: Facts, board: _Board | None) -> dict[str, Any]:
    document: dict[str, Any] = {"at": facts.at, "dashboard": None if board is None else board.to_dict()}
    for name in ("skills", "reviews", "runs", "alerts", "pool"):
        section = getattr(facts, name)
        document[name] = {
            "rows": [asdict(row) for row in section.rows],
            "more": section.more,
            "unknown": section.unknown,
        }
    return document


def _shown(facts: Facts, board: _Board | None) -> Group:
    parts: list[Table | Text] = [Text(f"as of {moment(facts.at)}", style="dim")]
    parts += _table("sandboxes", facts.pool, ("of", "state"), [(row.what, counts(row)) for row in facts.pool.rows])
    parts += _table("skills", facts.skills, ("skill", "runs", "success", "errors", "last executed", "state"), [
        (row.skill, str(row.runs), "-" if row.success_rate is None else f"{row.success_rate:.1%}", str(row.errors),
         when(row.last_at, facts.at), row.state)
        for row in facts.skills.rows
    ])  # fmt: skip
    parts += _table("waiting for a review", facts.reviews, ("item", "skill", "about", "why", "asked", "expires"), [
        (row.id, row.skill, row.kind, row.reason, when(row.asked_at, facts.at), when(row.expires_at, facts.at))
        for row in facts.reviews.rows
    ])  # fmt: skip
    parts += _table("last runs", facts.runs, ("run", "skill", "ended", "status"), [
        (row.run_id, row.skill, when(row.at, facts.at), row.status) for row in facts.runs.rows
    ])  # fmt: skip
    parts += _table("alerts", facts.alerts, ("alert", "what", "when"), [
        (row.kind, row.message, when(row.at, facts.at)) for row in facts.alerts.rows
    ])  # fmt: skip
    if board is not None and (reason := board.to_dict()["left_alone"]):
        parts += [Text(), safe(f"the dashboard {board.path} is left alone: {reason}", "yellow")]
    return Group(*parts)


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
    table = plain_table(*columns, right=tuple(each for each in columns if each in {"runs", "success", "errors"}))
    for row in rows:
        table.add_row(*(safe(each, _STYLES.get(each, ""), one_line=True) for each in row))
    yield table
    if section.more:
        yield Text(f"and {section.more} more", style="dim")
