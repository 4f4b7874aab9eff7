"""``Stream``: what of a stream may be shown while its run goes on, when secrets in it are redacted or blocked.

``allow`` shows all at once. ``block`` shows nothing: what was shown cannot be taken back, so the whole comes at the
end, if it comes. ``redact`` shows whole lines, and holds back the end of them where a known value may have begun.

What ``redact`` sees live: known values in every encoding, across any chunks; patterns within a line, encoded or not;
private keys. An encoded key that is folded over several lines is only found in the result, which is looked at whole.
"""

from __future__ import annotations

from typing import Final

from orchestrator.outputs.secrets import Detector
from orchestrator.policy.outputs import SecretAction

_LONGEST_LINE: Final = 4096  # bytes of an unfinished line that wait for its end
_KEPT: Final = 1024  # of a line that is longer: keys do not reach so far back
_BEGUN: Final = 4  # characters of a value that make us wait for more; those before them are remembered
_REMEMBERED: Final = 256  # bytes shown already that are looked at together with what follows
_KEY_BYTES: Final = 16 * 1024


class Stream:
    """Not thread-safe: one stream of one run."""

    def __init__(self, detector: Detector, action: SecretAction) -> None:
        self._detector, self.action = detector, action
        self._shown = b""  # the end of what was shown
        self._held = b""

    def feed(self, text: str) -> str:
        """What may be shown now that ``text`` came."""
        if self.action == "allow":
            return text
        if self.action == "block":
            return ""
        self._held += text.encode("utf-8", "surrogatepass")
        return self._release(self._safe())

    def end(self) -> str:
        """The rest, once there is no more. Nothing of a blocked stream."""
        return self._release(len(self._held))

    def _safe(self) -> int:
        """How much of what is held cannot be part of a secret that goes on."""
        held = self._held
        safe = held.rfind(b"\n") + 1
        if len(held) - safe > _LONGEST_LINE:
            safe = len(held) - _KEPT
        begun = self._detector.known.unfinished(self._shown + held[:safe], _BEGUN)
        if begun is not None:
            safe = max(0, begun - len(self._shown))
        return self._before_key(held, safe)

    @staticmethod
    def _before_key(held: bytes, safe: int) -> int:
        """Not into a private key whose end is not there yet."""
        header = held.rfind(b"PRIVATE KEY", 0, safe)
        begin = held.rfind(b"BEGIN ", max(0, header - 60), header) if header >= 0 else -1
        if begin < 0 or len(held) - begin > _KEY_BYTES:
            return safe
        return held.rfind(b"\n", 0, begin) + 1

    def _release(self, count: int) -> str:
        if not count:
            return ""
        seen = self._shown
        text, self._held = seen + self._held[:count], self._held[count:]
        hits = [hit for hit in self._detector.find(text) if hit.end > len(seen)]
        pieces, last = [], len(seen)
        for hit in hits:
            start = max(hit.start, last)
            pieces += [text[last:start], hit.marker.encode()]
            last = max(last, hit.end)
        self._shown = text[-_REMEMBERED:] if not hits else text[max(hits[-1].end, len(text) - _REMEMBERED) :]
        return b"".join((*pieces, text[last:])).decode("utf-8", "replace")
