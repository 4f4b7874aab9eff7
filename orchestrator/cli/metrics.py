"""``orchestrator metrics``: what the records and the engine say, or what a running orchestrator answers."""

from __future__ import annotations

from contextlib import ExitStack, closing

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, put, put_json
from orchestrator.cli.exits import SUCCEEDED, Exit
from orchestrator.errors import EngineError
from orchestrator.metrics.families import as_text
from orchestrator.metrics.recorded import engine_series, recorded_series
from orchestrator.metrics.scrape import parsed, scrape
from orchestrator.metrics.tally import Series
from orchestrator.records import Database
from orchestrator.records.database import nothing_kept
from orchestrator.sandbox.discovery import engine_url
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.ownership import Instance
from orchestrator.settings import Settings
from orchestrator.text import escape_controls


def print_metrics(*, url: str | None, output: Output) -> Exit:
    """Raises SettingsError where ``url`` is of no use, RecordsError where the records are not."""
    if url is not None:
        text = scrape(url)
    else:
        found = known(load_settings())
        text = as_text(lambda: found)
    if output is Output.JSON:
        put_json(parsed(text))
    else:
        put(escape_controls(text).removesuffix("\n"))
    return SUCCEEDED


def known(settings: Settings) -> list[Series]:
    """Without an engine the figures about it are missing. Makes neither records nor a state directory."""
    with ExitStack() as stack:
        database = None if nothing_kept(settings) else stack.enter_context(Database.of(settings))
        found = recorded_series(database)
        try:
            engine = stack.enter_context(closing(DockerEngine(engine_url(settings))))
        except EngineError:
            return found + engine_series(None, None)
        instance = None
        if settings.state_dir.is_dir():
            instance = Instance(settings.state_dir)
            stack.callback(instance.release)
        return found + engine_series(engine, instance)
