"""One record as one line of bounded length that nothing which reads it obeys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from orchestrator.text import one_line

if TYPE_CHECKING:
    from loguru import Record

MOST: Final = 4_000  # characters of a message; of an exception's text as many
_MOST_FIELDS: Final = 32
_MOST_FIELD: Final = 400  # characters of a field's value; of its name a tenth


def text_line(record: Record) -> str:
    """Time, level, message, and an exception without its traceback."""
    found = record["exception"]
    error = ""
    if found is not None and found.value is not None:
        error = one_line(f" ({type(found.value).__name__}: {_cut(str(found.value))})", MOST)
    message = one_line(record["message"], MOST)
    return f"{record['time']:%H:%M:%S} {record['level'].name.lower()}: {message}{error}\n"


def json_line(record: Record) -> str:
    """An object with time, level, module, message and, where there are any, fields and exception. Plain ASCII, so no
    reader sees a control, a bidi mark or half a character; a lone surrogate is told as the text ``\\ud800``, because
    strict parsers refuse the whole line otherwise."""
    document: dict[str, Any] = {
        "time": record["time"].isoformat(),
        "level": record["level"].name.lower(),
        "module": _whole(record["name"] or "", _MOST_FIELD),
        "message": _whole(record["message"], MOST),
    }
    if fields := _fields(record["extra"]):
        document["fields"] = fields
    found = record["exception"]
    if found is not None and found.value is not None:
        document["exception"] = {
            "type": type(found.value).__name__,
            "message": _whole(str(found.value), MOST),
            "at": _place(found.traceback),
        }
    return json.dumps(document, allow_nan=False) + "\n"


def _fields(extra: dict[Any, Any]) -> dict[str, Any]:
    """What was bound to the logger, as far as it is plain."""
    found = {}
    for name, value in list(extra.items())[:_MOST_FIELDS]:
        if isinstance(value, bool | None):
            plain: Any = value
        elif isinstance(value, int | float) and abs(value) < 2**53:
            plain = value
        elif isinstance(value, str):
            plain = _whole(str(value), _MOST_FIELD)
        else:
            continue
        found[_whole(str(name), _MOST_FIELD // 10)] = plain
    return found


def _place(traceback: Any) -> str:
    """The module and line in which the exception was raised."""
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_globals.get('__name__', '')}:{traceback.tb_lineno}"


def _cut(text: str, most: int = MOST) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _whole(text: str, most: int) -> str:
    return _cut(text, most).encode("utf-8", "backslashreplace").decode()
