"""``orchestrator skills``: the registry, shown and changed. No engine is asked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, plain_table, put_json, safe
from orchestrator.cli.desk import login_name, plain, trail_if_needed
from orchestrator.cli.exits import SUCCEEDED, Exit
from orchestrator.cli.render import megabytes, milliseconds, moment
from orchestrator.errors import RegistryError
from orchestrator.manifest.sources import load_skill
from orchestrator.records import Database
from orchestrator.registry import KnownSkill, Reference, RegisteredSkill, Registry, SkillEvent, parse_reference
from orchestrator.registry.statistics import Histogram
from orchestrator.sandbox.ownership import private_directory
from orchestrator.settings import Settings

COLUMNS = (
    "skill", "listed", "health", "runs", "well", "p50", "p95", "peak memory", "last run", "owner", "tags",
)  # fmt: skip
_RIGHT = ("runs", "well", "p50", "p95", "peak memory")
_STYLES = {"healthy": "green", "degraded": "yellow", "failing": "red", "quarantined": "bold red"}


@contextmanager
def opened(settings: Settings) -> Iterator[Registry]:
    """What is changed by it goes into the audit trail. Raises ``RecordsError``."""
    private_directory(settings.state_dir)
    with Database.of(settings) as database, trail_if_needed(database, settings) as trail:
        yield Registry(database, keep=lambda change: trail().keep(change))


def register_skill(manifest: Path, *, owner: str, tags: Sequence[str], by: str | None, output: Output) -> Exit:
    skill = load_skill(manifest)
    with opened(load_settings()) as registry:
        row = registry.register(skill, owner=plain(owner), tags=[plain(tag) for tag in tags], by=_who(by))
    return _told(row, "registered", output)


def change_skill(skill: str, *, owner: str | None, tags: Sequence[str] | None, by: str | None, output: Output) -> Exit:
    """``tags`` replaces all; one that is "" stands for none."""
    wanted = None if tags is None else [plain(tag) for tag in tags if tag]
    with opened(load_settings()) as registry:
        row = registry.change(plain(skill), owner=None if owner is None else plain(owner), tags=wanted, by=_who(by))
    return _told(row, f"owner {row.owner or 'none'}, tags {', '.join(row.tags) or 'none'}", output)


def disable_skill(skill: str, *, reason: str, by: str | None, output: Output) -> Exit:
    with opened(load_settings()) as registry:
        row = registry.disable(plain(skill), reason=plain(reason), by=_who(by))
    return _told(row, "disabled", output)


def enable_skill(skill: str, *, by: str | None, output: Output) -> Exit:
    with opened(load_settings()) as registry:
        registry.enable(plain(skill), by=_who(by))
    if output is Output.JSON:
        put_json({"skill": plain(skill), "enabled": True})
    else:
        out().print(Text.assemble(safe(plain(skill), "bold", one_line=True), " enabled"), soft_wrap=True)
    return SUCCEEDED


def _who(by: str | None) -> str:
    return plain(by, 200) if by is not None else login_name(str(os.getuid()))


def _told(row: RegisteredSkill, what: str, output: Output) -> Exit:
    if output is Output.JSON:
        put_json(asdict(row))
    else:
        out().print(Text.assemble(safe(row, "bold", one_line=True), " ", safe(what, one_line=True)), soft_wrap=True)
    return SUCCEEDED


# --- shown ---------------------------------------------------------------------------------------------------------


def list_skills(*, tag: str | None, output: Output) -> Exit:
    with opened(load_settings()) as registry:
        found = registry.known(tag=None if tag is None else plain(tag))
        documents = [_document(registry, each) for each in found]
    if output is Output.JSON:
        put_json(documents)
    elif not found:
        out().print("no skill is registered, and none ran")
    else:
        out().print(skills_table(found))
    return SUCCEEDED


def skills_table(found: Sequence[KnownSkill], columns: Sequence[str] = COLUMNS) -> Table:
    """``columns``: those of ``COLUMNS`` that are wanted."""
    table = plain_table(*columns, right=_RIGHT, whole=("listed", "health"))
    for column in table.columns:
        column.header = str(column.header).replace(" ", "\n")  # it must not be wider than what stands below
    for each in found:
        cells = dict(zip(COLUMNS, _cells(each), strict=True))
        table.add_row(*(cells[name] for name in columns))
    return table


def _cells(each: KnownSkill) -> Iterator[Text]:
    """In the order of ``COLUMNS``."""
    standing, row = each.standing, each.registered
    counts = standing.statistics
    rate = counts.success_rate
    condition = standing.health.condition if counts.runs else ""
    yield safe(f"{standing.name}@{standing.version}", one_line=True)
    yield Text("no" if row is None else "disabled" if row.disabled else "yes")
    yield Text(condition, style=_STYLES.get(condition, ""))
    yield Text(str(counts.runs))
    yield Text("" if rate is None else f"{rate:.0%}")
    for q in (0.5, 0.95):
        yield Text(_milliseconds(counts.wall_seconds.quantile(q)))
    yield Text(_megabytes(counts.memory_bytes.quantile(0.5)))
    yield Text("" if counts.last_at is None else moment(counts.last_at))
    yield safe("" if row is None else row.owner, one_line=True)
    yield safe("" if row is None else ", ".join(row.tags), one_line=True)


def show_skill(skill: str, *, output: Output) -> Exit:
    """A name, or a version of it: registered, or known from its runs."""
    with opened(load_settings()) as registry:
        found = _chosen(registry, plain(skill))
        documents = [_document(registry, each) for each in found]
    if output is Output.JSON:
        put_json(documents)
        return SUCCEEDED
    for each, document in zip(found, documents, strict=True):
        _show_one(each, document)
    return SUCCEEDED


def _chosen(registry: Registry, skill: str) -> list[KnownSkill]:
    reference = parse_reference(skill) or Reference("")
    known = registry.known(reference.name)
    if not reference.version and known:
        return known
    if reference.is_exact and (seen := [each for each in known if each.standing.version == reference.version]):
        return seen
    row = registry.get(skill)
    return [each for each in known if each.standing.version == row.version]


def _show_one(each: KnownSkill, document: dict[str, Any]) -> None:
    console, standing, row = out(), each.standing, each.registered
    title = safe(f"{standing.name}@{standing.version}", "bold", one_line=True)
    condition = standing.health.condition
    console.print(Text.assemble(title, "  ", (condition, _STYLES[condition])), soft_wrap=True)
    for name, value in _lines(each, document):
        console.print(Text.assemble((f"  {name}: ", "dim"), safe(value, one_line=True)), soft_wrap=True)
    if row is None:
        console.print(Text("  not registered: seen running"), soft_wrap=True)


def _lines(each: KnownSkill, document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    standing, row, counts = each.standing, each.registered, each.standing.statistics
    yield "code", standing.code_sha256
    if row is not None:
        yield "manifest", row.digest
        yield "registered", f"{moment(row.registered_at)} by {row.registered_by or 'nobody named'}"
        yield "owner", row.owner or "none"
        yield "tags", ", ".join(row.tags) or "none"
        if row.disabled:
            yield "disabled", row.reason or "no reason was given"
    if standing.health.condition == "quarantined":
        trial = "the next run is its trial" if document["may_try"] else f"trial from {moment(standing.health.until)}"
        yield "quarantined after", f"{standing.health.why}; {trial}"
    if standing.lost:
        yield "damaged", f"{' and '.join(standing.lost)} in the records cannot be read; the next run begins anew"
    yield (
        "runs",
        f"{counts.runs}: " + (", ".join(f"{n} {what}" for what, n in sorted(counts.statuses.items())) or "none"),
    )
    if counts.ran and counts.last_at is not None:
        yield "last run", moment(counts.last_at)
        yield "wall", _quantiles(counts.wall_seconds, _milliseconds)
        yield "CPU", _quantiles(counts.cpu_seconds, _milliseconds)
        yield "peak memory", _quantiles(counts.memory_bytes, _megabytes)


def show_history(skill: str, *, limit: int, output: Output) -> Exit:
    with opened(load_settings()) as registry:
        reference = parse_reference(plain(skill))
        if reference is None or (reference.version and not reference.is_exact):
            raise RegistryError(f"{plain(skill, 80)!r} names no skill", hint="it is like NAME or NAME@1.2.3")
        found = registry.history(reference.name, reference.version or None, limit=limit)
    if output is Output.JSON:
        put_json([asdict(each) for each in found])
    elif not found:
        out().print("nothing is recorded of it")
    else:
        table = plain_table("when", "skill", "what", "by", "details")
        for each in found:
            row = (moment(each.at), f"{each.name}@{each.version}", each.kind, each.by, _detail(each))
            table.add_row(*(safe(cell, one_line=True) for cell in row))
        out().print(table)
    return SUCCEEDED


def _detail(event: SkillEvent) -> str:
    said = {name: value for name, value in event.detail.items() if value not in ("", [], None)}
    if isinstance(until := said.get("until"), float):
        said["until"] = moment(until)
    return ", ".join(f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in said.items())


def _document(registry: Registry, each: KnownSkill) -> dict[str, Any]:
    standing, counts = each.standing, each.standing.statistics
    return {
        "name": standing.name,
        "version": standing.version,
        "code_sha256": standing.code_sha256,
        "registered": None if each.registered is None else asdict(each.registered),
        "health": standing.health.to_json(),
        "damaged": list(standing.lost),
        "may_try": registry.may_try(standing),
        "runs": counts.runs,
        "statuses": dict(counts.statuses),
        "errors": counts.errors(),
        "success_rate": counts.success_rate,
        "last_run_at": counts.last_at,
        "wall_seconds": _figures(counts.wall_seconds),
        "cpu_seconds": _figures(counts.cpu_seconds),
        "memory_peak_bytes": _figures(counts.memory_bytes),
    }


def _figures(histogram: Histogram) -> dict[str, float | None]:
    return {"p50": histogram.quantile(0.5), "p95": histogram.quantile(0.95)}


def _quantiles(histogram: Histogram, shown: Any) -> str:
    return f"p50 {shown(histogram.quantile(0.5))}, p95 {shown(histogram.quantile(0.95))}"


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else milliseconds(seconds)


def _megabytes(count: float | None) -> str:
    return "" if count is None else megabytes(round(count))
