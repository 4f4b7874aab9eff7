"""Where the library's log lines go, for programs that want to see them.

The library itself adds no sink and writes nothing on its own: a program calls ``configure`` or ``obey`` once. Messages
may quote engines, manifests and sandboxes. They reach loguru as arguments, never as templates (a test reads every
call), and every line is capped and escaped before it is written: one record stays one line, and no terminal obeys it.

    lines.py   one record as one line: text or JSON
    file.py    the file, its rotation
    setup.py   which records go where
"""

from orchestrator.logs.file import LogFile
from orchestrator.logs.lines import json_line, text_line
from orchestrator.logs.setup import LEVELS, RUN_LINES, configure, obey

__all__ = ["LEVELS", "RUN_LINES", "LogFile", "configure", "json_line", "obey", "text_line"]
