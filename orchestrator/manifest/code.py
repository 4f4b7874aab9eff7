"""Source text that means the same to everyone who reads it: the hash, the scanner and the sandbox's compiler.

Only about text, not about Python: syntax and rules are the validation layer's. Nothing is normalised, line ends least
of all: the string that passes here is the one that is hashed, scanned and run.
"""

from __future__ import annotations

import re
from typing import Final

from orchestrator.errors import Problem

MAX_CODE_BYTES: Final = 256 * 1024
_COOKIE: Final = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")  # PEP 263
_LINE: Final = re.compile(r"\r\n|\r|\n")
_UTF8: Final = frozenset({"utf-8", "utf8"})


def decode_code(raw: bytes) -> tuple[str, str]:
    """``raw`` as strict UTF-8 and "", or "" and what is wrong with it."""
    try:
        return raw.decode(), ""
    except UnicodeDecodeError as error:
        return "", f"is not UTF-8 (byte {error.start})"


def code_problems(code: str, where: str) -> list[Problem]:
    """What keeps ``code`` from being one unambiguous text; ``where`` is the pointer of the key it came by."""
    problems = []
    size = len(code.encode())
    if size > MAX_CODE_BYTES:
        problems.append(Problem(where, f"takes {size} bytes", f"at most {MAX_CODE_BYTES}"))
    if code.startswith("\ufeff"):
        problems.append(
            Problem(where, "starts with a byte order mark", "UTF-8 without one (delete its first character)")
        )
    if (at := code.find("\0")) >= 0:
        problems.append(
            Problem(where, f"holds a NUL character (line {code.count(chr(10), 0, at) + 1})", "Python source")
        )
    if encoding := _foreign_encoding(code):
        problems.append(Problem(where, f"declares the encoding {encoding}", "UTF-8: delete the coding comment"))
    if not code.strip():
        problems.append(Problem(where, "holds no code", "Python source"))
    return problems


def _foreign_encoding(code: str) -> str:
    for line in _LINE.split(code[:4096], maxsplit=2)[:2]:
        match = _COOKIE.match(line)
        if match and match[1].lower().replace("_", "-") not in _UTF8:
            return match[1][:40]
    return ""
