"""``Memo``: the recorded result of a pure skill, if all that it may depend on is what it was.

::

    looked = memo.look(skill, given, decision, image_id)     # after validation and decision, before a lease
    if looked.hit is not None:
        result = looked.hit.result(run_id, skill, decision, timings)
    else:
        result = ...run it...
        memo.keep(looked, result)

What is recorded is the output alone: what a skill printed is for whoever watched that run. It is recorded only after a
run that succeeded, in which nothing was withheld, warned of, written or repeated, while the granted part of the vault
stayed as it was from before the run until after it. A result is served under its own code, manifest, inputs, limits,
policy, enforcement, image and vault state, and no longer than the manifest's ``cache`` says. Nothing in here fails a
run.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from loguru import logger

from orchestrator.errors import SettingsError
from orchestrator.manifest import SkillManifest
from orchestrator.memo.key import Question, key_of
from orchestrator.memo.state import Unknown, vault_state
from orchestrator.memo.store import Store, secret_at
from orchestrator.outputs.known import read_values
from orchestrator.policy import Decision
from orchestrator.results.model import RunResult, Status, Timings
from orchestrator.settings import Settings
from orchestrator.vault.root import Vault

KEY_FILE: Final = "memo.key"  # in the state directory
_NO_VAULT: Final = "none"


@dataclass(frozen=True, slots=True)
class Hit:
    """What ``run_id`` returned at ``at`` (Unix seconds), under the same conditions."""

    run_id: str
    at: float
    output: Any
    image_id: str

    def result(self, run_id: str, skill: SkillManifest, decision: Decision, timings: Timings) -> RunResult:
        """As the answer to the run ``run_id``: it says that it was recorded, and used nothing."""
        return RunResult(
            run_id=run_id,
            skill=f"{skill.name}@{skill.version}",
            level=decision.level,
            status=Status.SUCCEEDED,
            reason=f"the recorded result of run {self.run_id}",
            output=self.output,
            cached=True,
            cached_run_id=self.run_id,
            timings=timings,
            warnings=decision.warnings,
            enforcement=decision.enforcement,
            policy_digest=decision.policy_digest,
            image_id=self.image_id,
            manifest_digest=skill.digest,
        )


@dataclass(frozen=True, slots=True)
class Looked:
    """``hit`` None: there is nothing to serve. ``why``: why nothing will be recorded either, or ""."""

    hit: Hit | None = None
    why: str = ""
    question: Question | None = field(default=None, repr=False)
    state: str = ""
    key: str = ""


class Memo:
    """Thread-safe, and safe from several processes."""

    def __init__(
        self,
        store: Store | None,
        vault: Vault | None,
        *,
        withheld: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        """``store`` None: nothing is recorded. ``withheld``: a digest of the values that no output may hold. ``now``:
        Unix seconds."""
        self._store, self._vault, self._withheld, self._now = store, vault, withheld, now

    @classmethod
    def of(cls, settings: Settings, vault: Vault | None) -> Self:
        """As the settings have it. Where the key cannot be used, nothing is recorded, and the log says why."""
        try:
            secret = secret_at(settings.state_dir / KEY_FILE)
            withheld = _withheld(settings, secret)
        except (OSError, SettingsError) as error:
            logger.warning("results are not recorded: {}", error)
            return cls(None, vault)
        name = _tag(secret, b"directory")[:16]
        return cls(Store(settings.cache_dir / "results" / name, _derived(secret)), vault, withheld=withheld)

    def look(self, skill: SkillManifest, inputs: Mapping[str, Any], decision: Decision, image_id: str) -> Looked:
        """What is recorded of this run, which the policy allows. ``inputs``: with the defaults."""
        store = self._store
        if store is None or skill.cache is None or not skill.pure:
            return Looked()
        if why := _unfit(decision):
            return Looked(why=why)
        question = Question(skill, inputs, decision, image_id)
        try:
            state = self._state(question)
            key = key_of(question, store.secret, state=state, withheld=self._withheld)
        except (Unknown, ValueError, TypeError) as error:
            return Looked(why=str(error))
        return Looked(self._served(key, skill.cache.ttl_seconds, image_id), "", question, state, key)

    def keep(self, looked: Looked, result: RunResult) -> bool:
        """Record ``result`` of the run that ``looked`` asked about; whether that was done."""
        store, question = self._store, looked.question
        if store is None or question is None or looked.hit is not None or not _worth(result, question.decision):
            return False
        try:
            if self._state(question) != looked.state:
                return False  # somebody edited meanwhile: nobody knows which of both the run saw
            entry = {"run_id": result.run_id, "at": self._now(), "output": result.output}
            return store.put(looked.key, entry)
        except (Unknown, ValueError, TypeError) as error:
            logger.debug("a result is not recorded: {}", error)
            return False

    def _state(self, question: Question) -> str:
        grants = question.decision.grants
        if self._vault is None or grants is None:
            return _NO_VAULT
        return vault_state(self._vault, grants, _mark(self._vault))

    def _served(self, key: str, ttl_seconds: float, image_id: str) -> Hit | None:
        found = None if self._store is None else self._store.get(key)
        if found is None:
            return None
        run_id, at, now = found.get("run_id"), found.get("at"), self._now()
        if not isinstance(run_id, str) or not isinstance(at, float) or not math.isfinite(at) or "output" not in found:
            return None
        if not at <= now < at + ttl_seconds:  # a moment that lies ahead came from a wrong clock
            if self._store is not None:
                self._store.drop(key)
            return None
        return Hit(run_id, at, found["output"], image_id)


def _unfit(decision: Decision) -> str:
    """Why a run is not looked up, whatever its manifest says."""
    if not decision.allowed or decision.grants is None:
        return "the policy denies it"
    if decision.grants.write:
        return "it may write to the vault"
    return "" if decision.enforcement == "enforce" else "the policy is only tried"


def _worth(result: RunResult, decision: Decision) -> bool:
    """Only what went as it should, with nothing to be told that a recorded result would keep to itself."""
    return (
        result.status is Status.SUCCEEDED
        and not (result.cached or result.degraded or result.changes or result.violations or result.would_deny)
        and result.fallback_of is None
        and result.attempts == 1
        and result.enforcement == "enforce"
        and result.warnings == decision.warnings  # none about the output: secrets, active content
    )


def _mark(vault: Vault) -> Path:
    """A directory of ours on the vault's file system."""
    return vault.staging_area.parent / "memo"


def _withheld(settings: Settings, secret: bytes) -> str:
    """A digest of the canaries and known values: outputs were screened for these, and not for others."""
    values = [each.get_secret_value() for each in settings.canaries]
    if settings.known_secrets_file is not None:
        values += read_values(settings.known_secrets_file)
    lines = [value.encode("utf-8", "surrogateescape").hex() for value in values]
    return _tag(secret, "\n".join(["values", *lines]).encode())


def _tag(secret: bytes, message: bytes) -> str:
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def _derived(secret: bytes) -> bytes:
    """The store's key: not the one that names its directory."""
    return hmac.new(secret, b"results", hashlib.sha256).digest()
