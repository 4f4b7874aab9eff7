"""``PolicyStore``: the policies in force, and how a changed file comes into force.

1. At construction every valid file is in force, and if all are valid the set is recorded as accepted. A broken file
   falls back to its last accepted copy, loudly; without one its level is denied, with the reason.
2. Later, ``refresh`` (before each run; costs a few ``stat`` calls at most once per interval) notices changed files. A
   set that was accepted - by ``accept``, in this process or another - comes into force for new runs. Any other change,
   broken or merely not accepted, leaves the policies in force as they are and is logged once.
3. What is accepted is told by a digest of what the files say, so comments may change freely.

Thread-safe. Files are read outside the lock, by one thread at a time.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from loguru import logger

from orchestrator.errors import PolicyError, Problem
from orchestrator.policy.accepted import AcceptedSet, marker_path, read_accepted, write_accepted
from orchestrator.policy.load import PolicyFiles, load_policy, read_policy_files
from orchestrator.policy.policy import Policy

_Signature = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """``problems`` by file name; ``digest`` of the whole set, "" unless it is valid. ``levels`` are the valid ones."""

    problems: Mapping[str, tuple[Problem, ...]]
    digest: str
    levels: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Loaded:
    files: PolicyFiles
    policies: Mapping[str, Policy]
    errors: Mapping[str, PolicyError]  # level -> why it has no policy
    report: CheckReport


def check(policy_dir: Path) -> CheckReport:
    """What is wrong with the files of ``policy_dir``. Reads, changes nothing, never raises."""
    return _load(read_policy_files(policy_dir)).report


class PolicyStore:
    """See the module's docstring. ``clock`` is monotonic, in seconds."""

    def __init__(
        self,
        policy_dir: Path,
        state_dir: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        interval_seconds: float = 1.0,
    ) -> None:
        self._policy_dir = policy_dir
        self._state_dir = state_dir
        self._clock = clock
        self._interval = interval_seconds
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        self._signature = self._stat_signature()
        self._next_look = clock() + interval_seconds
        self._reported = ""
        self._policies: Mapping[str, Policy] = MappingProxyType({})
        self._errors: Mapping[str, PolicyError] = MappingProxyType({})
        self._start()

    def current(self, level: str) -> Policy:
        """The policy in force for ``level``; raises ``PolicyError`` with the reason when there is none."""
        with self._lock:
            policy, error = self._policies.get(level), self._errors.get(level)
            known = ", ".join(sorted(self._policies)) or "none"
        if policy is not None:
            return policy
        if error is not None:
            raise PolicyError(f"no policy is in force for level {level!r}: {error.message}", error.problems)
        raise PolicyError(f"there is no policy for level {level!r}", hint=f"levels with a policy: {known}")

    def levels(self) -> tuple[str, ...]:
        """The levels that have a policy in force, sorted."""
        with self._lock:
            return tuple(sorted(self._policies))

    def refresh(self) -> None:
        """Look for changed files, if the interval has passed. Never raises for what the files hold."""
        if self._clock() < self._next_look or not self._refreshing.acquire(blocking=False):
            return
        try:
            self._next_look = self._clock() + self._interval
            signature = self._stat_signature()
            if signature != self._signature:
                self._signature = signature
                self._consider(_load(read_policy_files(self._policy_dir)))
        finally:
            self._refreshing.release()

    def accept(self) -> CheckReport:
        """Take the files as they are into force, here at once and in other processes at their next refresh.

        Raises ``PolicyError`` if one of them is invalid or the set cannot be recorded; then nothing changes.
        """
        with self._refreshing:
            signature = self._stat_signature()
            loaded = _load(read_policy_files(self._policy_dir))
            if not loaded.report.ok:
                raise PolicyError("the policy files are not valid", tuple(_flattened(loaded.report)))
            try:
                write_accepted(self._state_dir, loaded.files, loaded.report.digest)
            except OSError as error:
                raise PolicyError(f"the accepted policies cannot be recorded: {error}") from error
            self._signature = signature
            self._put_in_force(loaded.policies, {})
            return loaded.report

    # -- inside -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        loaded = _load(read_policy_files(self._policy_dir))
        accepted = read_accepted(self._state_dir)
        if loaded.report.ok:
            self._put_in_force(loaded.policies, {})
            self._record(loaded, accepted)
            return
        for problem in _flattened(loaded.report):
            logger.error("policies: {}", problem)
        kept = self._kept_policies(accepted)
        broken = loaded.errors if loaded.files.levels else kept  # an unreadable directory breaks every level
        fallback = {level: kept[level] for level in sorted(kept) if level in broken}
        for level in fallback:
            logger.error("policies: {} is not usable; its last accepted copy is in force", level)
        errors = {level: error for level, error in loaded.errors.items() if level not in fallback}
        self._put_in_force({**loaded.policies, **fallback}, errors)

    def _kept_policies(self, accepted: AcceptedSet | None) -> Mapping[str, Policy]:
        if accepted is None:
            return {}
        kept = _load(accepted.files())
        if kept.report.digest == accepted.digest:
            return kept.policies
        logger.error("policies: the accepted copies in {} are damaged and are not used", accepted.directory)
        return {}

    def _record(self, loaded: _Loaded, accepted: AcceptedSet | None) -> None:
        if accepted is not None and accepted.digest == loaded.report.digest:
            return
        try:
            write_accepted(self._state_dir, loaded.files, loaded.report.digest)
        except OSError as error:
            logger.warning("policies: the accepted set cannot be kept for the next start: {}", error)

    def _consider(self, loaded: _Loaded) -> None:
        accepted = read_accepted(self._state_dir)
        if loaded.report.ok and accepted is not None and accepted.digest == loaded.report.digest:
            self._put_in_force(loaded.policies, {})
            self._reported = ""
            return
        change = repr((loaded.report.digest, sorted(loaded.report.problems.items())))
        if change == self._reported:
            return
        self._reported = change
        if loaded.report.ok:
            logger.warning(
                "policies: the files have changed and are not accepted; the former policies stay in force. "
                "`orchestrator policy check` examines and accepts them"
            )
        for problem in _flattened(loaded.report):
            logger.error("policies: a changed file is not valid, the former policy stays in force: {}", problem)

    def _put_in_force(self, policies: Mapping[str, Policy], errors: Mapping[str, PolicyError]) -> None:
        with self._lock:
            self._policies = MappingProxyType(dict(policies))
            self._errors = MappingProxyType(dict(errors))

    def _stat_signature(self) -> _Signature:
        """Name, time, size and inode of everything that decides what is in force."""
        paths = [*self._policy_dir.glob("*.toml"), *self._policy_dir.glob("seccomp/*.json")]
        found = []
        for path in (*sorted(paths), marker_path(self._state_dir)):
            try:
                status = path.stat()
            except OSError:
                found.append((str(path), 0, 0, 0))
            else:
                found.append((str(path), status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)


def _load(files: PolicyFiles) -> _Loaded:
    policies: dict[str, Policy] = {}
    errors: dict[str, PolicyError] = {}
    problems: dict[str, tuple[Problem, ...]] = {name: (found,) for name, found in files.problems.items()}
    for level, content in files.levels.items():
        try:
            policies[level] = load_policy(level, content, files.profiles)
        except PolicyError as error:
            errors[level] = error
            problems[f"{level}.toml"] = error.problems
    for name, problem in files.problems.items():
        errors.setdefault(name.removesuffix(".toml"), PolicyError(f"{name} cannot be used", (problem,)))
    digest = "" if problems else _set_digest(policies)
    report = CheckReport(MappingProxyType(problems), digest, tuple(sorted(policies)))
    return _Loaded(files, policies, errors, report)


def _set_digest(policies: Mapping[str, Policy]) -> str:
    lines = "".join(f"{level} {policies[level].digest}\n" for level in sorted(policies))
    return hashlib.sha256(lines.encode()).hexdigest()


def _flattened(report: CheckReport) -> list[Problem]:
    """The problems of all files, their pointers prefixed by the file's name."""
    return [
        Problem(f"{name}{problem.pointer}", problem.message, problem.expected)
        for name, found in sorted(report.problems.items())
        for problem in found
    ]
