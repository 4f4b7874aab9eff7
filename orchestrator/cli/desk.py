"""What the verbs about reviews, history and snapshots work on: a vault and its records. No engine is asked."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from orchestrator.errors import PolicyError, SettingsError, VaultError
from orchestrator.image.state import recall
from orchestrator.installation import history as opened_history
from orchestrator.manifest import SkillManifest
from orchestrator.policy import Decision, Host, PolicyStore, default_policy_dir
from orchestrator.records import Review, StoredSet
from orchestrator.results.assemble import policy_finding
from orchestrator.reviews import Reviews
from orchestrator.sandbox.kernel import landlock_abi
from orchestrator.sandbox.ownership import Instance
from orchestrator.settings import Settings
from orchestrator.text import one_line
from orchestrator.validation.scanner import inspect
from orchestrator.vault.history import History
from orchestrator.vault.names import shown
from orchestrator.vault.root import Vault
from orchestrator.vault.scope import parts
from orchestrator.vault.slots import sweep_vault


class Judge:
    """The policies of this moment, read when first asked: who only looks accepts none."""

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self._settings, self._vault = settings, vault

    def decide(self, skill: SkillManifest) -> Decision:
        """Without a usable policy it is a denial that says why."""
        try:
            policy = self._policies.current(skill.security_level)
        except PolicyError as error:
            return Decision(False, skill.security_level, policy_digest="", violations=(policy_finding(error),))
        return policy.evaluate(skill, inspect(skill), self._host)

    @functools.cached_property
    def _policies(self) -> PolicyStore:
        return PolicyStore(self._settings.policy_dir or default_policy_dir(), self._settings.state_dir)

    @functools.cached_property
    def _host(self) -> Host:
        built = recall(self._settings.state_dir)
        uid, gid = self._vault.sandbox_ids()
        return Host(
            image_id="" if built is None else built.image_id,  # none: then every policy denies
            packages={} if built is None else built.packages,
            uid=uid,
            gid=gid,
            views=("copy",),
            landlock=landlock_abi() > 0,
        )


@dataclass(frozen=True, slots=True)
class Desk:
    reviews: Reviews
    judge: Judge

    @property
    def history(self) -> History:
        return self.reviews.history

    def item(self, review_id: str) -> tuple[Review, StoredSet | None]:
        """A review of this vault, and its changes if there are any. Raises ``ReviewError``."""
        review = self.reviews.get(plain(review_id))
        return review, self.changes(review)

    def changes(self, review: Review) -> StoredSet | None:
        return self.history.records.set_of(review.run_id)

    def path(self, argument: str) -> str:
        """A path as the records have it, from one that is absolute or as seen from the vault. ``VaultError``: not in
        the vault."""
        given = Path(argument)
        if given.is_absolute():
            root = self.history.vault.root
            if not given.is_relative_to(root):
                raise VaultError(f"{shown(argument)} is not in the vault {shown(str(root))}")
            argument = str(given.relative_to(root))
        return "/".join(parts(argument)) or "."


def plain(argument: str, limit: int = 1000) -> str:
    """An argument that the records can hold: whatever bytes it was given as, it is UTF-8 and one line."""
    return one_line(argument, limit)


@contextmanager
def desk(settings: Settings) -> Iterator[Desk]:
    """Raises ``SettingsError`` without a vault, ``VaultError`` or ``RecordsError`` where they cannot be used."""
    if settings.vault is None:
        raise SettingsError("no vault is configured", hint="give --vault DIR, or set ORCHESTRATOR_VAULT")
    vault = Vault(settings.vault, settings.state_dir)
    instance = Instance(settings.state_dir)
    with _releasing(instance, vault), opened_history(vault, settings, instance.id) as history:
        judge = Judge(settings, vault)
        yield Desk(Reviews(history, judge.decide, days=settings.review_days), judge)


@contextmanager
def _releasing(instance: Instance, vault: Vault) -> Iterator[None]:
    """The claim is given up at the end, and the staging directory with it."""
    try:
        yield
    finally:
        try:
            if (vault.staging_area / instance.id).exists():
                with vault.locked():
                    sweep_vault(vault, lambda other: other != instance.id)
        except (VaultError, OSError) as error:
            logger.warning("a staging directory stays until the next start: {}", error)
        finally:
            instance.release()
