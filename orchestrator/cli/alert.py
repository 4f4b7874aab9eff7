"""``orchestrator alert``: whether alerts arrive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from orchestrator.alerts import Alerts
from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, put_json, safe
from orchestrator.cli.desk import desk
from orchestrator.cli.exits import SETUP, SUCCEEDED, Exit
from orchestrator.errors import SettingsError
from orchestrator.outputs.known import known_values
from orchestrator.settings import Settings


def test_alerts(*, vault: Path | None, output: Output) -> Exit:
    """Raises SettingsError where no channel is configured."""
    settings = load_settings(vault=vault)
    with _alerts(settings) as alerts:
        tried = alerts.test()
    if not tried:
        names = ("alert_webhook", "alert_command", "alert_note", "alert_apprise")
        raise SettingsError("no channel for alerts is configured", hint=f"set one of {', '.join(names)}")
    if output is Output.JSON:
        put_json({"channels": [asdict(each) for each in tried]})
    else:
        for each in tried:
            told = ("sent", "green") if not each.fault else (f"not sent: {each.fault}", "red")
            out().print(Text.assemble(f"{each.channel}: ", safe(told[0], told[1], one_line=True)), soft_wrap=True)
    return SETUP if any(each.fault for each in tried) else SUCCEEDED


@contextmanager
def _alerts(settings: Settings) -> Iterator[Alerts]:
    """A note needs the vault and its records; nothing else does."""
    known = known_values(settings)
    if not settings.alert_note:
        with closing(Alerts.of(settings, known=known)) as alerts:
            yield alerts
        return
    with desk(settings) as at, closing(Alerts.of(settings, at.history, known)) as alerts:
        yield alerts
