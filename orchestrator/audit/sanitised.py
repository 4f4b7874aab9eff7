"""Foreign values as what a record may hold of them. Secrets are taken out first, then content.

* A string that is one short word stays as it is: a path, a date, a tag say what was asked for. Anything else may be
  content (a line of a note, say): only its length stays. What we and the operator's people say is no content, so there
  short lines of several words stay too. Of long lists only the first entries do.
* Digests are keyed: whoever has the records, but not the key, cannot find a small value out by trying.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.audit.chain import keyed
from orchestrator.outputs.secrets import MARKERS, Detector
from orchestrator.outputs.values import screened
from orchestrator.strictjson import dumps_canonical
from orchestrator.text import one_line

MAX_TEXT: Final = 80  # characters of a string that is not content
MAX_ENTRIES: Final = 20  # of one list or object
MAX_DEPTH: Final = 5
MAX_VALUES: Final = 200  # in one document
MAX_DIGITS: Final = 20
_KEPT_TEXTS: Final = 500
_KEPT_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Sanitiser:
    """``key``: for the digests."""

    detector: Detector
    key: bytes
    _texts: dict[tuple[str, int], str] = field(default_factory=dict, compare=False, repr=False)

    def digest(self, content: bytes) -> str:
        return keyed(self.key, content).hex()

    def digest_of_hash(self, sha256: str) -> str:
        """Of content that is only known by its plain hash; "" for none."""
        return self.digest(sha256.encode()) if sha256 else ""

    def sized(self, text: str) -> dict[str, Any]:
        """Of a text: how long it is, and its digest."""
        raw = text.encode("utf-8", "surrogatepass")
        return {"bytes": len(raw), "digest": self.digest(raw)} if raw else {"bytes": 0}

    def sized_value(self, value: Any) -> dict[str, Any]:
        """The same of a JSON value's canonical form."""
        try:
            raw = dumps_canonical(value)
        except (ValueError, TypeError, RecursionError):  # not from us: what a caller put together
            return {"bytes": 0, "unfit": True}
        return {"bytes": len(raw), "digest": self.digest(raw)}

    def text(self, text: str, limit: int = 200) -> str:
        """One line of words of ours, or of names, without secrets. They are few, and each run has them again."""
        if not text:
            return ""
        if (known := self._texts.get((text, limit))) is not None:
            return known
        line = one_line(self.detector.redacted_text(text), limit)
        if len(text) <= _KEPT_CHARACTERS:
            if len(self._texts) >= _KEPT_TEXTS:
                self._texts.clear()
            self._texts[text, limit] = line
        return line

    def name(self, text: str) -> str:
        """A name that a skill chose: as it is when it looks like a dotted name, else only its length."""
        if len(text) <= MAX_TEXT and text.isascii() and all(each.isidentifier() for each in text.split(".")):
            return self.text(text)
        return _length(text)

    def outline(self, value: Any, *, lines: bool = False) -> Any:
        """A JSON value as what a record may hold of it. ``lines``: short ones stay, not single words alone."""
        return _Outline(_line if lines else _word).of(screened(plain(value), self.detector)[0], 0)


def plain(value: Any) -> Any:
    """Frozen mappings and tuples as dicts and lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


@dataclass(slots=True)
class _Outline:
    short: Callable[[str], str]
    left: int = MAX_VALUES

    def of(self, value: Any, depth: int) -> Any:
        self.left -= 1
        if isinstance(value, str):
            return self.short(value)
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, list):
            return self._list(value, depth)
        if value is None or isinstance(value, bool):
            return value
        return _number(value)

    def _object(self, value: Mapping[str, Any], depth: int) -> Any:
        if depth >= MAX_DEPTH or self.left <= 0:
            return f"[{len(value)} members]"
        shown: dict[str, Any] = {}
        for number, (key, inner) in enumerate(value.items()):
            if number >= MAX_ENTRIES or self.left <= 0:
                shown["..."] = f"[{len(value) - number} more]"
                break
            shown[self.short(key)] = self.of(inner, depth + 1)
        return shown

    def _list(self, value: list[Any], depth: int) -> Any:
        if depth >= MAX_DEPTH or self.left <= 0:
            return f"[{len(value)} entries]"
        shown: list[Any] = []
        for number, inner in enumerate(value):
            if number >= MAX_ENTRIES or self.left <= 0:
                shown.append(f"[{len(value) - number} more]")
                break
            shown.append(self.of(inner, depth + 1))
        return shown


def _line(text: str) -> str:
    if len(text) > MAX_TEXT or "\n" in text or "\r" in text:
        return _length(text)
    return one_line(text, MAX_TEXT * 10)


def _word(text: str) -> str:
    """By bytes: where words are not set apart by blanks, a sentence has few characters."""
    fits = len(text.encode("utf-8", "surrogatepass")) <= MAX_TEXT and len(text.split()) <= 1
    return _line(text) if fits or text in MARKERS else _length(text)


def _length(text: str) -> str:
    return f"[text of {len(text)} characters]"


def _number(value: Any) -> Any:
    if isinstance(value, int):
        digits = str(value)
        return value if len(digits) <= MAX_DIGITS else f"[number of {len(digits)} digits]"
    return repr(value) if isinstance(value, float) else f"[{type(value).__name__}]"  # text: floats differ by reader
