"""Parses what the executor handed in: ``V`` and the output as JSON, or ``X`` and an exception. All of it untrusted."""

from __future__ import annotations

from typing import Any, Final

from orchestrator import strictjson
from orchestrator.errors import Problem
from orchestrator.manifest.model import SkillManifest
from orchestrator.results.classify import Report
from orchestrator.results.model import SkillError
from orchestrator.text import escape_controls
from orchestrator.validation.outputs import parse_output

VALUE, ERROR = b"V", b"X"
_ERROR_TEXT: Final = 64 * 1024  # characters kept of a message or traceback
_NOT_OURS: Final = Report(problems=(Problem("", "the report has not the executor's form"),))


def parse_report(raw: bytes | None, manifest: SkillManifest, max_bytes: int) -> Report:
    """Never raises: whatever is wrong with ``raw`` is in ``Report.problems``. ``max_bytes`` is the run's result cap."""
    if raw is None:
        return Report()
    kind, body = raw[:1], raw[1:]
    if kind == VALUE:
        value, problems = parse_output(body, manifest, max_bytes)
        return Report(ok=not problems, value=value, problems=problems)
    if kind == ERROR:
        return _parse_error(body, max_bytes)
    return _NOT_OURS


def _parse_error(body: bytes, max_bytes: int) -> Report:
    try:
        document = strictjson.loads(body, max_bytes=max_bytes, max_depth=2, what="the error report")
    except strictjson.StrictJSONError:
        return _NOT_OURS
    if not isinstance(document, dict):
        return _NOT_OURS
    return Report(
        error=SkillError(
            type=_text(document.get("type"), 200) or "Exception",
            message=_text(document.get("message"), _ERROR_TEXT),
            traceback=_text(document.get("traceback"), _ERROR_TEXT),
        )
    )


def _text(value: Any, limit: int) -> str:
    return escape_controls(value[:limit]) if isinstance(value, str) else ""
