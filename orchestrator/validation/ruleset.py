"""``ruleset_digest()``: which scanner this is. Another digest, other verdicts: what was kept of the former is void."""

from __future__ import annotations

import functools
import hashlib
import sys
from pathlib import Path

from orchestrator.validation.rules import RULES

# Modules outside this directory that the scanner imports. A test compares with what scan_child.py really loads.
BESIDE = ("__init__.py", "private.py", "strictjson.py", "text.py")


@functools.cache
def ruleset_digest() -> str:
    """Hex SHA-256 of the rules, of the source of every module that can take part in a scan, and of this Python, whose
    parser and tables of names decide too. "" where the sources cannot be read: then nothing may be kept on disk."""
    here = Path(__file__).parent
    found = hashlib.sha256(f"{sys.implementation.name} {sys.version}\n{sorted(RULES.items())!r}\n".encode())
    files = sorted(here.rglob("*.py")) + [here.parent / name for name in BESIDE]
    try:
        for file in files:
            content = file.read_bytes()
            found.update(f"{file.name} {len(content)}\n".encode())
            found.update(content)
    except OSError:
        return ""
    return found.hexdigest() if len(files) > len(BESIDE) else ""
