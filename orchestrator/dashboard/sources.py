"""Where the dashboard's facts come from. A source that fails leaves a gap that says why, and the others as they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from orchestrator.alerts import journal
from orchestrator.audit.query import Reader, Run, Wanted
from orchestrator.dashboard.facts import AlertRow, Facts, PoolRow, ReviewRow, RunRow, Section, SkillRow, TroubleRow
from orchestrator.errors import OrchestratorError
from orchestrator.pool import PoolStats
from orchestrator.records import Database, Records, Review
from orchestrator.registry import KnownSkill, Registry
from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.text import one_line

T = TypeVar("T")

MAX_SKILLS: Final = 100
MAX_REVIEWS: Final = 20
MAX_RUNS: Final = 10
MAX_TROUBLED: Final = 20
MAX_ALERTS: Final = 10
MAX_POOL: Final = 20
_TROUBLED: Final = ("quarantined", "failing")


def nothing() -> Sequence[T]:
    return ()


@dataclass(frozen=True, slots=True)
class Sources:
    """Each gives its rows, the most important first. May raise ``OrchestratorError`` or ``OSError``."""

    skills: Callable[[], Sequence[SkillRow]] = nothing
    reviews: Callable[[], Sequence[ReviewRow]] = nothing
    runs: Callable[[], Sequence[RunRow]] = nothing
    troubled: Callable[[], Sequence[TroubleRow]] = nothing
    alerts: Callable[[], Sequence[AlertRow]] = nothing
    pool: Callable[[], Sequence[PoolRow]] = nothing


def gather(sources: Sources, at: float) -> Facts:
    """What can be known at ``at`` (Unix seconds), no more rows than fit a page."""
    return Facts(
        at,
        _section(sources.skills, MAX_SKILLS),
        _section(sources.reviews, MAX_REVIEWS),
        _section(sources.runs, MAX_RUNS),
        _section(sources.troubled, MAX_TROUBLED),
        _section(sources.alerts, MAX_ALERTS),
        _section(sources.pool, MAX_POOL),
    )


def _section(source: Callable[[], Sequence[T]], most: int) -> Section[T]:
    try:
        rows = tuple(source())
    except (OrchestratorError, OSError) as error:
        return Section(unknown=one_line(str(error), 200))
    return Section(rows[:most], max(0, len(rows) - most))


def sources_of(
    database: Database,
    *,
    vault: str,
    pool: Callable[[], Sequence[PoolRow]] = nothing,
    alive: Callable[[str], bool] | None = None,
    now: Callable[[], float] = time.time,
) -> Sources:
    """What the records know. ``vault``: the absolute path whose reviews are shown; "": none are. ``alive``: whether an
    orchestrator with that claim still runs, by which a run that goes on is told from an interrupted one."""
    registry, records = Registry(database), Records(database)
    reader = Reader(database) if alive is None else Reader(database, alive)

    def waiting() -> list[ReviewRow]:
        return [row for row in review_rows(records.reviews(vault=vault)) if row.expires_at > now()] if vault else []

    return Sources(
        skills=lambda: skill_rows(registry.known()),
        reviews=waiting,
        runs=lambda: [_run_row(each) for each in reader.search(Wanted(), MAX_RUNS)],
        troubled=lambda: trouble(registry.known()),
        alerts=lambda: alert_rows(journal.recent(database, MAX_ALERTS)),
        pool=pool,
    )


# --- from the parts of this program --------------------------------------------------------------------------------


def skill_rows(known: Iterable[KnownSkill]) -> list[SkillRow]:
    """One for each name and version, over all codes that ran under it; what ran last comes first."""
    rows: dict[str, SkillRow] = {}
    for each in known:
        row = _skill_row(each)
        before = rows.get(row.skill)
        rows[row.skill] = row if before is None else _added(before, row)
    return sorted(rows.values(), key=lambda row: (-(row.last_at or 0), row.skill))


def _skill_row(known: KnownSkill) -> SkillRow:
    standing, statistics = known.standing, known.standing.statistics
    disabled = known.registered is not None and known.registered.disabled
    return SkillRow(
        f"{standing.name}@{standing.version}",
        statistics.runs,
        statistics.success_rate,
        statistics.last_at,
        sum(statistics.errors().values()),
        "disabled" if disabled else standing.health.condition,
    )


def _added(one: SkillRow, other: SkillRow) -> SkillRow:
    """Codes under one name and version. The later one's rate and state stand for both: it is what runs now."""
    later = max(one, other, key=lambda row: row.last_at or 0)
    return SkillRow(
        one.skill, one.runs + other.runs, later.success_rate, later.last_at, one.errors + other.errors, later.state
    )


def trouble(known: Iterable[KnownSkill]) -> list[TroubleRow]:
    """Skills that fail again and again, or that are kept from running for that."""
    found = []
    for each in known:
        standing, health = each.standing, each.standing.health
        if health.condition in _TROUBLED:
            skill = f"{standing.name}@{standing.version}"
            found.append(TroubleRow(skill, health.condition, health.why, standing.statistics.last_at))
    return sorted(found, key=lambda row: -(row.at or 0))


def alert_rows(entries: Iterable[journal.Entry]) -> list[AlertRow]:
    return [AlertRow(each.kind, each.skill, each.message, each.at, each.suppressed) for each in entries]


def review_rows(pending: Iterable[Review]) -> list[ReviewRow]:
    """The oldest first, as they come."""
    return [
        ReviewRow(
            each.id,
            f"{each.manifest.get('name', '?')}@{each.manifest.get('version', '?')}",
            each.kind,
            each.reasons[0] if each.reasons else "",
            each.created_at,
            each.expires_at,
        )
        for each in pending
    ]


def _run_row(run: Run) -> RunRow:
    last = run.outcome or run.intent
    return RunRow(run.run_id, last.skill if last else "", run.state, last.at_us / 1e6 if last else 0.0)


def pool_rows(stats: PoolStats) -> list[PoolRow]:
    """A living pool's own figures, a row for each level."""
    rows = [
        PoolRow(
            f"{each.level}, {each.warm_target} kept warm",
            {
                name: getattr(each, name)
                for name in ("warm", "starting", "checking", "leased", "removing", "waiting")
                if getattr(each, name)
            },
        )
        for each in stats.specs
    ]
    if stats.degraded:
        rows.append(PoolRow("degraded", {one_line(stats.last_error, 100) or "failures": 1}))
    return rows


def container_rows(engine: Engine, state_id: str) -> list[PoolRow]:
    """What the engine has of this state directory's orchestrators, a row for each of them: which of its sandboxes are
    leased, only an orchestrator itself knows."""
    counts: dict[str, dict[str, int]] = {}
    for row in engine.list({LABEL: "", LABEL_STATE: state_id}):
        of = counts.setdefault(row.labels.get(LABEL_INSTANCE, "?"), {})
        of[row.state] = of.get(row.state, 0) + 1
    return [PoolRow(f"orchestrator {instance}", dict(sorted(of.items()))) for instance, of in sorted(counts.items())]
