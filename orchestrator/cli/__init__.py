"""The ``orchestrator`` command. Thin verbs over the library: what they decide is how things are asked for and shown.

exits.py has the exit codes, console.py what may be written where, app.py the verbs' names; each verb has a module.
"""

from __future__ import annotations


def main() -> None:
    """The console script's entry. Ends the process with a code from ``exits.EXITS``."""
    from orchestrator.cli.app import run_app  # noqa: PLC0415 - importing this package stays free of cost

    run_app()
