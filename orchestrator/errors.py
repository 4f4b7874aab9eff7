"""Every exception this package raises on purpose, and whose fault each one is.

::

    OrchestratorError
    ├── CallerError                 the program that called us
    │   ├── ManifestError           the manifest breaks its schema (lists every problem)
    │   ├── InputsError             the inputs break the skill's ``inputs_schema``
    │   ├── ReviewError             a review item that cannot be decided like that
    │   ├── RegistryError           no such skill is registered, or another one is
    │   ├── SessionError            no such session, or it is not open any more
    │   └── SkillFailed             only from ``RunResult.raise_for_status()``
    ├── OperatorError               whoever set this installation up
    │   ├── SettingsError
    │   ├── PolicyError             a policy file is missing, unreadable or invalid
    │   ├── ImageError              the sandbox image is missing or not ours
    │   ├── VaultError              the vault cannot be used as configured
    │   └── RecordsError            the database of records cannot be used
    ├── EngineError                 the container engine
    │   ├── EngineUnavailable       nothing answers on its socket
    │   └── PostureError            it did not apply a restriction we asked for
    ├── SandboxError                a sandbox that broke (dead, silent, or off protocol)
    │   └── ProtocolError           bytes from the sandbox that its supervisor never sends
    └── PoolError                   no sandbox could be had
        ├── PoolSaturated           ``max_waiting`` callers wait already
        ├── PoolTimeout             waited ``acquire_timeout_seconds`` in vain
        ├── LeaseCancelled          the caller said so while it waited
        └── PoolClosed

A skill that fails, is denied or runs into a limit raises nothing: that is data (``RunResult.status``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document somebody wrote.

    ``pointer`` is an RFC 6901 JSON pointer into that document ("" is the whole of it);
    ``expected`` says what would have been right.
    """

    pointer: str
    message: str
    expected: str = ""

    def __str__(self) -> str:
        where = self.pointer or "(document)"
        return f"{where}: {self.message}" + (f"; expected {self.expected}" if self.expected else "")


class OrchestratorError(Exception):
    """Base of all. ``exit_code`` is the CLI's, ``hint`` says what to do next (may be empty)."""

    exit_code: ClassVar[int] = 6
    hint: str = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        if hint:
            self.hint = hint


class _ProblemsError(OrchestratorError):
    """An error that lists every problem found in one document."""

    def __init__(self, message: str, problems: tuple[Problem, ...] = (), *, hint: str = "") -> None:
        self.problems = problems
        lines = [message, *(f"  {problem}" for problem in problems)]
        super().__init__("\n".join(lines), hint=hint)


class CallerError(OrchestratorError):
    exit_code = 2


class ManifestError(_ProblemsError, CallerError):
    hint = "`orchestrator schema` prints the manifest's JSON Schema"


class InputsError(_ProblemsError, CallerError):
    hint = "the skill's inputs_schema says what it takes"


class ReviewError(CallerError):
    """A review item that cannot be decided like that: unknown, decided already, expired, or not what was shown."""

    hint = "`orchestrator review list` shows what waits"


class RegistryError(CallerError):
    """A skill that is not registered, or a registration that would change what a name and version mean."""

    hint = "`orchestrator skills list` shows what is registered"


class SessionError(CallerError):
    """A session that does not exist, or is closed or expired."""

    hint = "`orchestrator sessions list` shows the sessions"


class SkillFailed(CallerError):  # noqa: N818 - reads as what happened, like httpx's HTTPStatusError
    """The run did not succeed; ``result`` is the whole ``RunResult``."""

    exit_code = 1

    def __init__(self, message: str, result: object) -> None:
        super().__init__(message)
        self.result = result


class OperatorError(OrchestratorError):
    exit_code = 6


class SettingsError(OperatorError):
    pass


class PolicyError(_ProblemsError, OperatorError):
    hint = "`orchestrator policy check` lists what is wrong with the policy files"


class ImageError(OperatorError):
    hint = "`make sandbox-image` (or `orchestrator image build`) builds the sandbox image"


class VaultError(OperatorError):
    pass


class EngineError(OrchestratorError):
    exit_code = 6
    hint = "`orchestrator doctor` examines the engine"


class EngineUnavailable(EngineError):  # noqa: N818
    hint = "start a container engine, or let `make engine` start a private one"


class PostureError(EngineError):
    """A restriction that was asked for is not in force inside the sandbox. Nothing was run."""


class SandboxError(OrchestratorError):
    exit_code = 5


class ProtocolError(SandboxError):
    pass


class PoolError(OrchestratorError):
    exit_code = 6


class PoolSaturated(PoolError):  # noqa: N818
    hint = "raise max_waiting or max_containers, or call less often"


class PoolTimeout(PoolError):  # noqa: N818
    hint = "raise acquire_timeout_seconds or max_containers; `orchestrator doctor` checks the engine"


class LeaseCancelled(PoolError):  # noqa: N818
    """The ``cancelled`` callback of ``lease`` became true before there was a sandbox. Nothing was run."""


class PoolClosed(PoolError):  # noqa: N818
    pass
