"""Ctrl-C before there is a verb that could take it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PATIENCE = 30.0

# The module is found once the test has sent its signal, and never in the end.
LOADING = """
import signal, sys

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            print("loading", flush=True)
            while True:
                signal.pause()

sys.meta_path.insert(0, Slow())
sys.argv = ["orchestrator", "alert", "test"]
from orchestrator.cli import main
main()
"""


@pytest.mark.parametrize("module", ["orchestrator.cli.app", "orchestrator.cli.alert"])
def test_an_interrupt_while_modules_are_loaded_is_a_cancellation(module: str) -> None:
    """The command line's own, and those of a verb."""
    with subprocess.Popen(
        [sys.executable, "-c", LOADING.format(module=module)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (130, "", "")
