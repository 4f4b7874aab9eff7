"""What the verbs about reviews, history and snapshots work on: a vault and its records. No engine is asked."""

from __future__ import annotations

import functools
import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.audit.trail import AuditTrail
from orchestrator.errors import SettingsError, VaultError
from orchestrator.image.state import recall
from orchestrator.installation import decide, remove_scratch
from orchestrator.installation import history as opened_history
from orchestrator.manifest import SkillManifest
from orchestrator.policy import Decision, Host, PolicyStore, Verdicts, default_policy_dir
from orchestrator.policy.decision import RECIPE_PYTHON
from orchestrator.records import Database, Review, StoredSet
from orchestrator.reviews import Reviews
from orchestrator.sandbox.kernel import landlock_abi
from orchestrator.sandbox.ownership import Instance
from orchestrator.settings import Settings
from orchestrator.text import one_line
from orchestrator.validation.scanner import Scanner
from orchestrator.vault.history import History
from orchestrator.vault.names import shown
from orchestrator.vault.root import Vault
from orchestrator.vault.scope import parts


class Judge:
    """The policies of this moment, read when first asked: who only looks accepts none."""

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self._settings, self._vault = settings, vault

    def decide(self, skill: SkillManifest) -> Decision:
        """Without a usable policy it is a denial that says why."""
        return decide(skill, self._policies, lambda: self._host, self._settings, self._verdicts)

    def note(self, skill: SkillManifest) -> str:
        """What of a skill cannot be judged here; "" when all can."""
        if skill.dependencies and self._host.packages is None:
            return "dependencies were not checked: what the image of the settings holds, only the engine knows"
        return ""

    @functools.cached_property
    def _verdicts(self) -> Verdicts:
        return Verdicts(Scanner(self._settings.cache_dir))

    @functools.cached_property
    def _policies(self) -> PolicyStore:
        return PolicyStore(self._settings.policy_dir or default_policy_dir(), self._settings.state_dir)

    @functools.cached_property
    def _host(self) -> Host:
        """As a run would find it, but for the engine. Nothing is going to run here, so where it would have to be asked
        which packages an image has, that stays unknown."""
        built, wanted = recall(self._settings.state_dir), self._settings.image
        if built is not None and wanted not in (None, built.image_id):
            built = None  # it says nothing about the image that is wanted
        uid, gid = self._vault.sandbox_ids()
        return Host(
            image_id=wanted or "" if built is None else built.image_id,  # "": every policy denies
            packages=None if built is None else built.packages,
            uid=uid,
            gid=gid,
            views=("copy",),
            landlock=landlock_abi() > 0,
            python=RECIPE_PYTHON if built is None else built.python,
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


def login_name(otherwise: str = "") -> str:
    """Of the user that this process runs for; ``otherwise`` where that has no name."""
    try:
        return plain(pwd.getpwuid(os.getuid()).pw_name, 200)
    except KeyError:
        return otherwise


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
    with (
        _releasing(instance, vault),
        Database.of(settings) as database,
        opened_history(vault, database, settings, instance.id) as history,
        _on_record(history, database, settings, instance.id),
    ):
        judge = Judge(settings, vault)
        yield Desk(Reviews.of(settings, history, judge.decide), judge)


@contextmanager
def _on_record(history: History, database: Database, settings: Settings, instance: str) -> Iterator[None]:
    """What is done here goes into the audit trail."""
    with trail_if_needed(database, settings, instance) as trail:
        history.tell = lambda deed: trail().deed(deed)
        yield


@contextmanager
def trail_if_needed(database: Database, settings: Settings, instance: str = "") -> Iterator[Callable[[], AuditTrail]]:
    """The audit trail, opened with the first deed: looking changes nothing."""
    with ExitStack() as opened:

        @functools.cache
        def trail() -> AuditTrail:
            return opened.enter_context(AuditTrail.of(database, settings, instance=instance))

        yield trail


@contextmanager
def _releasing(instance: Instance, vault: Vault) -> Iterator[None]:
    """The claim is given up at the end, and the staging directory with it."""
    try:
        yield
    finally:
        try:
            if (vault.staging_area / instance.id).exists():
                remove_scratch(vault, instance.id)
        finally:
            instance.release()
