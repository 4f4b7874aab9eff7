"""``orchestrator cleanup``: what dead orchestrators left on the engine and in the state directory."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, put_json, safe
from orchestrator.cli.exits import SUCCEEDED, Exit
from orchestrator.sandbox.discovery import engine_url
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.sandbox.ownership import Instance
from orchestrator.sandbox.sweep import sweep
from orchestrator.settings import Settings
from orchestrator.vault.root import HIDDEN
from orchestrator.vault.slots import sweep as sweep_slots


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Container names; directories of sandboxes (slots and staging); ids of dead owners."""

    containers: tuple[str, ...]
    directories: tuple[str, ...]
    owners: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.containers or self.directories or self.owners)


def clean_up(*, vault: Path | None, dry_run: bool, output: Output) -> Exit:
    """Raises ``EngineError`` when the engine fails; what was removed until then stays removed."""
    settings = load_settings(vault=vault)
    with closing(DockerEngine(engine_url(settings))) as engine:
        instance = Instance(settings.state_dir)
        try:
            found = leftovers(engine, instance, settings)
            if not dry_run:
                _remove(engine, instance, settings)
        finally:
            instance.release()
    if output is Output.JSON:
        put_json(
            {
                "removed": not dry_run,
                "containers": list(found.containers),
                "directories": list(found.directories),
                "owners": list(found.owners),
            }
        )
    else:
        _show(found, "would remove" if dry_run else "removed")
    return SUCCEEDED


def leftovers(engine: Engine, instance: Instance, settings: Settings) -> Leftovers:
    """What is there of owners that are dead. Looks only."""
    dead = {owner for owner in instance.others() if not instance.alive(owner)}
    rows = engine.list({LABEL: "", LABEL_STATE: instance.state_id})
    containers = (row.name for row in rows if not instance.alive(row.labels.get(LABEL_INSTANCE, "")))
    directories = (
        directory
        for place in _places(settings)
        for kind in ("slots", "staging")
        for directory in sorted((place / kind).glob("*/*"))
        if directory.parent.name != instance.id and not instance.alive(directory.parent.name)
    )
    return Leftovers(tuple(sorted(containers)), tuple(map(str, directories)), tuple(sorted(dead)))


def _places(settings: Settings) -> tuple[Path, ...]:
    return (settings.state_dir,) if settings.vault is None else (settings.state_dir, settings.vault / HIDDEN)


def _remove(engine: Engine, instance: Instance, settings: Settings) -> None:
    """The same sweep as every orchestrator's at its start."""
    sweep(engine, instance)
    for place in _places(settings):
        sweep_slots(place, instance.alive)
    for owner in instance.others():
        instance.clear(owner)


def _show(found: Leftovers, verb: str) -> None:
    console = out()
    if not found:
        console.print("nothing was left behind")
    for kind, names in (("container", found.containers), ("directory", found.directories), ("claim of", found.owners)):
        for name in names:
            console.print(safe(f"{verb} {kind} {name}", one_line=True), soft_wrap=True)
