"""The ``orchestrator`` command. Thin verbs over the library: what they decide is how things are asked for and shown.

exits.py has the exit codes, console.py what may be written where, verbs/ the verbs' names, options and help, app.py all
of them together. What a verb does is in a module of this package, loaded once the verb is called.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The console script's entry. Ends the process with a code from ``exits.EXITS``."""
    try:
        from orchestrator.cli.app import run_app  # noqa: PLC0415 - importing this package stays free of cost

        run_app()
    except KeyboardInterrupt:  # while all that was loaded; a verb under way has its own way to end
        sys.exit(130)  # as exits.CANCELLED, which may not be there yet
