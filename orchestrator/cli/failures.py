"""How a verb ends: its exit code, or an exception of ours told in two lines - what happened, what to do next."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, ParamSpec

import typer
from rich.text import Text

from orchestrator.cli.console import safe, say
from orchestrator.cli.exits import DEFECT, Exit, code_of
from orchestrator.errors import OrchestratorError

P = ParamSpec("P")
show_tracebacks: Final[ContextVar[bool]] = ContextVar("show_tracebacks", default=False)


def ends(verb: Callable[P, Exit]) -> Callable[P, None]:
    """Make a verb's ``Exit``, or its exception, the process's exit code. No traceback is shown unless asked for."""

    @functools.wraps(verb)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = verb(*args, **kwargs).code
        except OrchestratorError as error:
            tell(error)
            code = code_of(error)
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence; told, and never a success
            _tell_defect(error)
            code = DEFECT.code
        raise typer.Exit(code)

    return wrapped


def tell(error: OrchestratorError) -> None:
    _show_traceback(error)
    say(Text.assemble(("error: ", "bold red"), safe(error)))
    if error.hint:
        say(Text.assemble(("  what to do: ", "bold"), safe(error.hint)))


def _tell_defect(error: Exception) -> None:
    _show_traceback(error)
    say(Text.assemble(("defect: ", "bold red"), safe(f"{type(error).__name__}: {error}", one_line=True)))
    say("  what to do: this should not happen; `orchestrator --debug ...` shows where it did, for a report")


def _show_traceback(error: BaseException) -> None:
    if show_tracebacks.get():
        lines = "".join(traceback.format_exception(error))
        sys.stderr.write(str(safe(lines)))
