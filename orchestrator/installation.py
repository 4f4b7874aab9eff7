"""``Installation``: what one orchestrator runs on, opened in order and closed in reverse.

    records -> scanner -> engine -> claim (instance) -> janitor -> image -> vault -> sweep -> policies -> host facts

It decides nothing about skills; it finds out what is there and makes sure it is fit to use.
"""

from __future__ import annotations

import contextlib
import functools
import json
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from loguru import logger

from orchestrator import forks
from orchestrator.errors import EngineError, ImageError, PolicyError, SettingsError, VaultError
from orchestrator.image.model import verify
from orchestrator.image.state import recall
from orchestrator.manifest import SkillManifest
from orchestrator.outputs.known import known_values
from orchestrator.policy import Decision, Host, Policy, PolicyStore, Verdicts, default_policy_dir
from orchestrator.policy.model import EnforcementMode
from orchestrator.records import Database, Records
from orchestrator.results.assemble import policy_finding
from orchestrator.sandbox.discovery import engine_url
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.engine import Engine, EngineInfo
from orchestrator.sandbox.kernel import landlock_abi
from orchestrator.sandbox.maker import SandboxMaker
from orchestrator.sandbox.overlay_trial import overlay_works
from orchestrator.sandbox.ownership import Instance, private_directory
from orchestrator.sandbox.slot import NoSlot, Slot
from orchestrator.sandbox.spec import SandboxSpec, VaultView
from orchestrator.sandbox.sweep import remove_owned, sweep
from orchestrator.settings import Settings
from orchestrator.upkeep import Rest, go_on
from orchestrator.validation.scanner import Scanner
from orchestrator.vault.history import History, objects_of
from orchestrator.vault.holding import ALERT_MARK, notes_pattern
from orchestrator.vault.recovery import recover
from orchestrator.vault.root import Vault
from orchestrator.vault.slots import Slots, sweep_vault
from orchestrator.watch import Watch

_NOBODY = 65532  # the image's own user, where there is no vault to share


class Installation:
    """Close it when done. Raises OperatorError or EngineError when something is not fit."""

    def __init__(self, settings: Settings, engine: Engine | None = None) -> None:
        self.settings = settings
        self._exit = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.push(self._exit.__exit__)
            self._open(engine)
            undo.pop_all()

    def _open(self, engine: Engine | None) -> None:
        settings = self.settings
        private_directory(settings.state_dir)
        self.known = known_values(settings)
        self.database = self._exit.enter_context(Database.of(settings))
        scanner = self._exit.enter_context(Scanner(settings.cache_dir))
        scanner.warm()  # it boots while the engine answers
        self.verdicts = Verdicts(scanner)
        url = engine_url(settings) if engine is None else ""
        self.engine: Engine = engine or DockerEngine(url)
        if engine is None:
            self._exit.callback(self.engine.close)
        self.info: EngineInfo = self.engine.info()
        self.instance = Instance(settings.state_dir)
        self._exit.callback(self.instance.release)
        self._watch = Watch(url, settings.state_dir, self.instance.id) if url else None
        if self._watch is not None:
            self._exit.callback(self._watch.end)
        forks.watch(self)
        image_id, packages, python = _image(settings, self.engine)
        self.vault = None if settings.vault is None else Vault(settings.vault, settings.state_dir)
        self._slots = None if self.vault is None else Slots(self.vault, self.instance.id)
        self.history = (
            None
            if self.vault is None
            else self._exit.enter_context(history(self.vault, self.database, settings, self.instance.id))
        )
        self._exit.callback(self._remove_scratch)
        self._exit.callback(self._remove_leftovers)
        self._sweep()
        self.policies = PolicyStore(settings.policy_dir or default_policy_dir(), settings.state_dir)
        uid, gid = (_NOBODY, _NOBODY) if self.vault is None else self.vault.sandbox_ids()
        self.host = Host(
            image_id=image_id,
            packages=packages,
            uid=uid,
            gid=gid,
            views=self._views(image_id, uid, gid),
            landlock=self._same_kernel() and landlock_abi() > 0,
            python=python,
        )
        self.make = SandboxMaker(self.engine, self.instance, self.prepare_slot)

    def _remove_scratch(self) -> None:
        """Every container of this instance is gone by now."""
        if self.vault is not None:
            remove_scratch(self.vault, self.instance.id)

    def _remove_leftovers(self) -> None:
        """Whatever the pool could not remove. What resists even now, the janitor or the next start removes."""
        try:
            left = remove_owned(self.engine, self.instance.id)
        except EngineError as error:
            logger.error("the engine does not say whether containers are left: {}", error)
        else:
            if left:
                logger.warning("{} containers were removed only at the very end", left)

    def after_fork_in_child(self) -> None:
        """The child must hold nothing that tells others of the parent's death."""
        self._exit.pop_all()  # what closing would remove is the parent's: containers, slots, its claim
        self.verdicts.after_fork_in_child()
        self.instance.forget_in_child()
        if self._watch is not None:
            self._watch.forget_in_child()

    def _same_kernel(self) -> bool:
        """The engine runs on this very kernel, not in a virtual machine beside it (Docker Desktop)."""
        return not self.info.remote and self.info.kernel == platform.release()

    def settle_the_dead(self) -> None:
        """What a start does, once more: finish or undo the transactions of orchestrators that died meanwhile, then
        remove what they left. Their janitors did most of it, where they could. ``VaultError``, ``RecordsError`` or
        ``EngineError``."""
        if self.history is not None:
            recover(self.history.vault, self.history.keep)
        self._sweep()

    def _sweep(self) -> None:
        """Remove what dead owners left: containers, then slots and staging, then their claims."""
        removed = sweep(self.engine, self.instance)
        if self.vault is not None:
            sweep_vault(self.vault, self.instance.alive)
        for other in self.instance.others():
            self.instance.clear(other)
        if removed:
            logger.info("removed {} containers that dead orchestrators left", len(removed))

    def _views(self, image_id: str, uid: int, gid: int) -> tuple[VaultView, ...]:
        wish = self.settings.vault_view
        if self.vault is None:
            return ("none",)
        if self.info.rootless or any("userns" in option for option in self.info.security_options):
            raise SettingsError(
                "this engine maps user ids (rootless or userns-remap), so no sandbox can share your vault's files",
                hint="use an engine without user mapping for skills that work on a vault, or run without one",
            )
        views = self.vault.usable_views(engine_remote=self.info.remote, overlay_works=self._same_kernel())
        if wish != "auto":
            views = tuple(view for view in views if view == wish)
            if not views:
                raise SettingsError(f"vault_view={wish} cannot be used here", hint="vault_view=auto picks one that can")
        if "overlay" in views and self._slots is not None:
            trial = functools.partial(self._slots.prepare, "overlay", uid, gid)
            if not overlay_works(self.engine, self.info, self.settings.state_dir, image_id, slot=trial):
                views = tuple(view for view in views if view != "overlay")
        return views

    def prepare_slot(self, spec: SandboxSpec) -> Slot:
        if self._slots is None or spec.vault_view == "none":
            return NoSlot()
        return self._slots.prepare(spec.vault_view, spec.uid, spec.gid)

    def close(self) -> None:
        """Release everything, last first. Containers must be gone by now: the pool closes before."""
        if self.history is not None:
            self.history.close()  # what it still has to do needs the scratch directories
        self._exit.close()


def remove_scratch(vault: Vault, instance: str) -> None:
    """Remove the slots and staging directories of ``instance``. Under the vault's lock: a commit that is still under
    way has the replaced notes in its staging directory. What cannot be removed is logged."""
    try:
        with vault.locked():
            sweep_vault(vault, lambda other: other != instance)
    except (VaultError, OSError) as error:
        logger.warning("scratch directories stay until the next start: {}", error)


def decide(
    skill: SkillManifest,
    policies: PolicyStore,
    host: Callable[[], Host],
    settings: Settings,
    verdicts: Verdicts,
    *,
    enforcement: EnforcementMode | None = None,
    meet: Callable[[Policy], None] = lambda _: None,
) -> Decision:
    """What the policy that is in force for the skill's level says. Without a usable one it is a denial that says why.

    ``enforcement`` replaces the policy's own; ``meet`` is told of that policy before it is asked. Where reviews are
    notes in the vault too, no skill may change those.
    """
    try:
        policy = policies.current(skill.security_level)
    except PolicyError as error:
        return Decision(False, skill.security_level, policy_digest="", violations=(policy_finding(error),))
    meet(policy)
    decision = verdicts.decide(policy, skill, host(), enforcement)
    forbidden = [notes_pattern(settings.review_folder)] if settings.review_notes else []
    if settings.dashboard:
        forbidden.append(f"/{settings.dashboard_path}")
    if settings.alert_note:
        forbidden.append(notes_pattern(settings.alert_note, ALERT_MARK))
    return replace(decision, forbidden=(*decision.forbidden, *forbidden)) if forbidden else decision


@contextlib.contextmanager
def history(vault: Vault, database: Database, settings: Settings, instance: str) -> Iterator[History]:
    """What runs changed in ``vault``, with everything settled that a crash cut off and, once a day, everything
    forgotten that is too old. ``VaultError`` or ``RecordsError`` when that cannot be: then no run may change
    anything."""
    found = History(vault, Records(database), objects_of(vault), instance=instance)
    recover(vault, found.keep)
    prune_daily(found, settings)
    with contextlib.closing(found):
        yield found


def prune_daily(found: History, settings: Settings, rest: Rest = go_on) -> None:
    """Once a day, of all that ask: forget what is too old, or too much. ``rest``: see ``History.prune``."""
    if found.prune_is_due():
        found.prune(keep_days=settings.keep_days, keep_bytes=settings.keep_mb * 2**20, rest=rest)


def _image(settings: Settings, engine: Engine) -> tuple[str, Mapping[str, str], tuple[int, int]]:
    """The pinned image's id, its Python packages and its Python, after a look at what the engine really has under that
    id."""
    inspect_image = getattr(engine, "inspect_image", None)
    built = recall(settings.state_dir)
    if settings.image is not None and (built is None or built.image_id != settings.image):
        document = inspect_image(settings.image) if inspect_image else None
        if document is None or document.get("Id") != settings.image:
            raise ImageError(f"the engine has no image with the id {settings.image}")
        return settings.image, _labelled_packages(document), _labelled_python(document)
    if built is None:
        raise ImageError("no sandbox image was built for this state_dir yet")
    if inspect_image is not None:
        document = inspect_image(built.image_id)
        if document is None:
            raise ImageError(f"the engine has lost the sandbox image {built.image_id}")
        verify(document, built)
    return built.image_id, built.packages, built.python


def _labelled_packages(document: Mapping[str, Any]) -> Mapping[str, str]:
    labels = (document.get("Config") or {}).get("Labels") or {}
    try:
        packages = json.loads(labels["io.skill-orchestrator.packages"])
        return {str(name): str(version) for name, version in packages.items()}
    except (KeyError, ValueError, AttributeError):
        raise ImageError("the image carries no list of its packages") from None


def _labelled_python(document: Mapping[str, Any]) -> tuple[int, int]:
    labels = (document.get("Config") or {}).get("Labels") or {}
    try:
        major, minor, *_ = str(labels["io.skill-orchestrator.python"]).split(".")
        return int(major), int(minor)
    except (KeyError, ValueError, TypeError):
        raise ImageError("the image does not say which Python it holds") from None
