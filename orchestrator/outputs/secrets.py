"""Finding secrets in bytes, and taking them out. What this module is given may be hostile; what it returns is either
free of what it can find, or withheld as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.outputs import patterns
from orchestrator.outputs.hits import Hit, TooMany, merged
from orchestrator.outputs.known import KnownValues
from orchestrator.outputs.rules import finding
from orchestrator.validation.finding import Finding

MAX_BYTES: Final = 16 * 2**20  # of one text; the largest output that a shipped policy allows
_PASSES: Final = 3  # what stands once a secret was cut out may be one again
WITHHELD: Final = "[withheld: it holds secrets]"
_TOO_LARGE: Final = Hit("OUT103", "not examined", 0, 0)
MARKERS: Final = frozenset(
    {
        WITHHELD,
        *(
            Hit("", kind, 0, 0).marker
            for kind in ("canary", "known value", "not examined", *patterns.OWN, *patterns.PLUGINS)
        ),
    }
)
"""All that may stand where a secret was."""


@dataclass(frozen=True, slots=True)
class Detector:
    """What is looked for in one installation at one level. Thread-safe."""

    known: KnownValues = field(default_factory=KnownValues)
    ignore: frozenset[str] = frozenset()

    def find(self, raw: bytes) -> list[Hit]:
        """Hits by place, not overlapping. For what is not examined, one hit of OUT103 that covers all."""
        if len(raw) > MAX_BYTES:
            return [_whole(raw)]
        try:
            return merged((*self.known.find(raw), *patterns.find(raw, self.ignore)))
        except TooMany:
            return [_whole(raw)]

    def find_known(self, raw: bytes) -> list[Hit]:
        """The same for known values alone."""
        if len(raw) > MAX_BYTES:
            return [_whole(raw)]
        try:
            return merged(self.known.find(raw))
        except TooMany:
            return [_whole(raw)]

    def redacted(self, raw: bytes, hits: Sequence[Hit]) -> bytes:
        """``raw`` with markers for ``hits`` and for whatever shows once they are gone; or ``WITHHELD``."""
        for _ in range(_PASSES):
            if any(hit.rule == "OUT103" for hit in hits):
                break
            raw = cut(raw, hits)
            hits = self.find(raw)
            if not hits:
                return raw
        return WITHHELD.encode()

    def redacted_text(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        hits = self.find(raw)
        return self.redacted(raw, hits).decode("utf-8", "replace") if hits else text


def _whole(raw: bytes) -> Hit:
    return Hit(_TOO_LARGE.rule, _TOO_LARGE.kind, 0, len(raw))


def cut(raw: bytes, hits: Iterable[Hit]) -> bytes:
    pieces, last = [], 0
    for hit in hits:
        pieces += [raw[last : hit.start], hit.marker.encode()]
        last = hit.end
    return b"".join((*pieces, raw[last:]))


def added(raw: bytes, hits: Sequence[Hit], former: bytes, before: Sequence[Hit]) -> list[Hit]:
    """The hits that were not in ``former`` already, occurrence by occurrence."""
    left = Counter((hit.kind, former[hit.start : hit.end]) for hit in before)
    found = []
    for hit in hits:
        key = (hit.kind, raw[hit.start : hit.end])
        if left[key] > 0 and hit.rule != "OUT103":
            left[key] -= 1
        else:
            found.append(hit)
    return found


def findings(hits: Iterable[Hit], place: str, *, warning: bool) -> list[Finding]:
    """One for each kind and encoding, with how often."""
    counted = Counter((hit.rule, hit.kind, hit.how) for hit in hits)
    return [
        finding(
            rule,
            place,
            ", ".join(filter(None, (kind.replace("_", " "), how, f"{count} times" if count > 1 else ""))),
            warning=warning,
        )
        for (rule, kind, how), count in counted.items()
    ]
