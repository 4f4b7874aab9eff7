"""``orchestrator pool stats``: a pool opened, warmed, looked at and closed."""

from __future__ import annotations

import time

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, Spinner, out, plain_table, put_json, safe
from orchestrator.cli.exits import SUCCEEDED, Exit
from orchestrator.core import Orchestrator
from orchestrator.pool import PoolStats, SpecStats

_COLUMNS = ("level", "target", "warm", "starting", "leased", "created", "failures", "state")


def print_stats(*, output: Output) -> Exit:
    """Raises what opening or warming the pool raises."""
    settings = load_settings()
    with Spinner("warming the pool") as spinner, Orchestrator(settings) as orchestrator:
        began = time.monotonic()
        orchestrator.prime()
        seconds = time.monotonic() - began
        stats = orchestrator.stats()
        spinner.step("closing the pool")
    if output is Output.JSON:
        put_json({"primed_seconds": seconds, **stats.to_dict()})
    else:
        show_stats(stats, f"primed in {seconds:.2f} s")
    return SUCCEEDED


def show_stats(stats: PoolStats, remark: str) -> None:
    """A row for each level and one for all; to standard output."""
    table = plain_table(*_COLUMNS, right=_COLUMNS[1:7])
    rows: list[tuple[str, SpecStats | PoolStats]] = [(each.level, each) for each in stats.specs]
    for level, each in [*rows, ("all", stats)]:
        state = "degraded" if each.degraded else "ready"
        row = (
            level, each.warm_target, each.warm, each.starting, each.leased, each.created_total,
            each.create_failures_total, state,
        )  # fmt: skip
        table.add_row(*(safe(cell, one_line=True) for cell in row))
    console = out()
    console.print(table)
    budget = f"at most {stats.max_containers} containers at once, {stats.max_waiting} callers may wait"
    console.print(f"{remark}; {budget}", soft_wrap=True)
    if stats.last_error:
        console.print(safe(f"last error: {stats.last_error}", "yellow"), soft_wrap=True)
