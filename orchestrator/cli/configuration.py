"""The command's settings: the environment, what the options replace, and what suits a command line."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from orchestrator import logs
from orchestrator.errors import SettingsError
from orchestrator.settings import Settings

COLD = {"strict": 0, "standard": 0, "relaxed": 0}
"""Warm targets of a command that runs one skill: it neither waits for idle sandboxes nor leaves any behind."""


def load_settings(**given: Any) -> Settings:
    """``Settings`` from the environment with ``given`` (None: not given) over it; the log goes where they say.

    Unless a level is set, only warnings are shown: how a run ended, the verbs tell themselves. Raises ``SettingsError``
    that names every field which cannot be used.
    """
    given = {name: value for name, value in given.items() if value is not None}
    try:
        settings = Settings(**given)
        asked = "log_level" in settings.model_fields_set
        if not asked:
            settings = settings.model_copy(update={"log_level": "minimal"})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise SettingsError(
            f"the settings cannot be used: {faults}", hint="correct the ORCHESTRATOR_... variables or the options"
        ) from error
    logs.obey(settings, run_lines=asked)
    return settings
