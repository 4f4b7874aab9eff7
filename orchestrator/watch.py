"""``Watch``: this process's end of its janitor (see ``janitor.py``)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from loguru import logger

from orchestrator import janitor


class Watch:
    """Starts the janitor. ``end`` dismisses it after a clean close; a death of this process unleashes it."""

    def __init__(self, url: str, state_dir: Path, instance_id: str) -> None:
        arguments = [url, str(state_dir), instance_id, *sys.path]
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own file, our own interpreter
                [sys.executable, "-S", "-E", "-B", str(Path(janitor.__file__)), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,  # a Ctrl-C at the terminal is not for it
            )
        except OSError as error:
            logger.warning("no janitor: {}; after a kill -9, `orchestrator cleanup` removes what is left", error)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def end(self) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(b".")
            self._process.stdin.close()
        except OSError as error:
            logger.debug("the janitor was gone already: {}", error)
        self._process.wait()
        self._process = None

    def forget_in_child(self) -> None:
        """After a fork: the child must not keep the pipe open past the parent's death."""
        if self._process is not None and self._process.stdin is not None:
            os.close(self._process.stdin.fileno())
            self._process = None
