"""``orchestrator db ...``: the database of records, looked at, upgraded, pruned and packed. No engine is asked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from orchestrator.audit.prune import prune_by
from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, plain_table, put_json, safe, say
from orchestrator.cli.desk import desk
from orchestrator.cli.exits import SUCCEEDED, Exit
from orchestrator.records import Database, Records
from orchestrator.records.database import nothing_kept
from orchestrator.records.tables import VERSION
from orchestrator.registry import Registry
from orchestrator.sandbox.ownership import private_directory
from orchestrator.settings import Settings


def show_status(*, output: Output) -> Exit:
    settings = load_settings()
    if nothing_kept(settings):
        return _nothing(output)
    with Database.of(settings, any_version=True) as database:
        document: dict[str, Any] = {
            "database": database.name.removeprefix("the records ").removeprefix("at "),
            "dialect": database.dialect,
            "version": database.version(),
            "needed_version": VERSION,
            "bytes": database.size_bytes(),
            "rows": database.rows(),
        }
    if output is Output.JSON:
        put_json(document)
        return SUCCEEDED
    table = plain_table("fact", "value")
    for name, value in document.items():
        if name != "rows":
            table.add_row(name.replace("_", " "), safe(value, one_line=True))
    for name, count in document["rows"].items():
        table.add_row(f"rows of {name}", str(count))
    out().print(table)
    return SUCCEEDED


def upgrade_database(*, output: Output) -> Exit:
    settings = load_settings()
    private_directory(settings.state_dir)
    with Database.of(settings, any_version=True) as database:
        done = database.upgrade()
    if output is Output.JSON:
        backup = None if done.backup is None else str(done.backup)
        put_json({"before": done.before, "after": done.after, "backup": backup})
    elif done.before is None:
        out().print(f"made the tables of version {done.after}")
    elif done.before == done.after:
        out().print(f"is of version {done.after} already")
    else:
        out().print(f"upgraded from version {done.before} to {done.after}")
        if done.backup is not None:
            out().print(safe(f"what it was before: {done.backup}", one_line=True), soft_wrap=True)
    return SUCCEEDED


def prune_database(*, vault: Path | None, output: Output) -> Exit:
    """Without a vault the records alone: the content that only they referred to goes when its vault is pruned."""
    settings = load_settings(vault=vault)
    if nothing_kept(settings):
        return _nothing(output)
    freed = 0
    with Database.of(settings) as database:
        before = database.rows()
        if settings.vault is None:
            Records(database).forget_older(time.time() - settings.keep_days * 86400)
        else:
            freed = _prune_vault(settings)
        prune_by(database, settings)
        Registry(database).prune(keep_days=settings.audit_days)
        after = database.rows()
    gone = {name: before[name] - count for name, count in after.items() if before[name] > count}
    if output is Output.JSON:
        put_json({"rows": gone, "content_bytes": freed})
        return SUCCEEDED
    for name, count in gone.items():
        out().print(f"{count} rows of {name} are forgotten")
    if freed:
        out().print(f"{freed} bytes of kept content are freed")
    if not gone and not freed:
        out().print("nothing was too old or too much")
    if settings.vault is None:
        say("without --vault only the records are pruned, not what a vault keeps for rollbacks")
    return SUCCEEDED


def _prune_vault(settings: Settings) -> int:
    with desk(settings) as opened:
        return opened.history.prune(keep_days=settings.keep_days, keep_bytes=settings.keep_mb * 2**20)


def vacuum_database(*, output: Output) -> Exit:
    settings = load_settings()
    if nothing_kept(settings):
        return _nothing(output)
    with Database.of(settings) as database:
        before = database.size_bytes()
        database.vacuum()
        after = database.size_bytes()
    if output is Output.JSON:
        put_json({"bytes_before": before, "bytes_after": after})
    else:
        out().print(f"{before} bytes before, {after} bytes now")
    return SUCCEEDED


def _nothing(output: Output) -> Exit:
    if output is Output.JSON:
        put_json({})
    else:
        out().print("there are no records yet")
    return SUCCEEDED
