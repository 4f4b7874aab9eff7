"""The exit codes: one table, shown by ``orchestrator --help`` and in the documentation (a test compares).

A skill's failure, a denial and a limit are told apart, so that a script can decide without reading text.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.errors import LeaseCancelled, OrchestratorError
from orchestrator.results.model import Status


@dataclass(frozen=True, slots=True)
class Exit:
    code: int
    name: str
    meaning: str


SUCCEEDED = Exit(0, "succeeded", "the skill ran to its end; or a check found nothing wrong")
FAILED = Exit(
    1,
    "failed",
    "the skill failed or died of a signal; or examples judged otherwise, policies that differ,"
    " an audit trail that was changed",
)
MISTAKE = Exit(2, "mistake", "the call is wrong: usage, manifest or inputs")
DENIED = Exit(3, "denied", "the policy denies the skill, or the changes it made")
LIMIT = Exit(4, "limit", "a limit ended the skill: time, CPU, memory or output")
SANDBOX = Exit(5, "sandbox", "the sandbox broke")
CONFLICT = Exit(7, "conflict", "somebody changed the same notes meanwhile: nothing was written")
HELD = Exit(8, "held", "the skill ran well and its changes wait for a review")
SETUP = Exit(6, "setup", "this installation is not fit: settings, policies, image, engine, vault or pool")
DEFECT = Exit(70, "defect", "a defect of this program")
CANCELLED = Exit(130, "cancelled", "cancelled, for example with Ctrl-C")
TERMINATED = Exit(143, "terminated", "cancelled by SIGTERM")

EXITS = (SUCCEEDED, FAILED, MISTAKE, DENIED, LIMIT, SANDBOX, SETUP, CONFLICT, HELD, DEFECT, CANCELLED, TERMINATED)

OF_STATUS = MappingProxyType(
    {
        Status.SUCCEEDED: SUCCEEDED,
        Status.FAILED: FAILED,
        Status.SIGNALED: FAILED,
        Status.TIMED_OUT: LIMIT,
        Status.CPU_EXCEEDED: LIMIT,
        Status.OUT_OF_MEMORY: LIMIT,
        Status.OUTPUT_EXCEEDED: LIMIT,
        Status.DENIED: DENIED,
        Status.CONFLICT: CONFLICT,
        Status.HELD: HELD,
        Status.CANCELLED: CANCELLED,
        Status.SANDBOX_ERROR: SANDBOX,
    }
)


def code_of(error: OrchestratorError) -> int:
    """What the process ends with for an exception of ours."""
    return CANCELLED.code if isinstance(error, LeaseCancelled) else error.exit_code


def epilog() -> str:
    """The table for the end of ``--help``: a Markdown list, as the help is Markdown."""
    rows = (f"- {each.code} {each.meaning}" for each in EXITS)
    return "\n".join(("**Exit codes**\n", *rows))
