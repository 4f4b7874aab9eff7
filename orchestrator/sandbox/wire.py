"""The frames that host and supervisor exchange: type (1 byte), length (4 bytes, big-endian), payload.

Both directions use them. Host to sandbox: ``JOB``, ``ATTEST``, ``CANCEL``. Sandbox to host, in this order::

    READY  (POSTURE)*  [STDOUT | STDERR | TAKEN]*  [RESULT]  FINAL

``FINAL`` comes exactly once and nothing follows. ``TAKEN`` comes once where a job runs for 20 ms and more. The
supervisor alone writes frames, so they can be believed as far as PID 1 can; the host still checks type, order and size,
and refuses before it allocates.
The supervisor's copy of these numbers is in ``sandbox-image/supervisor.py``; a test compares them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from orchestrator.errors import ProtocolError

PROTOCOL_VERSION = 2
HEADER = struct.Struct(">BI")
CHUNK_BYTES = 65536  # largest STDOUT/STDERR payload
CONTROL_BYTES = 65536  # largest READY, POSTURE, FINAL payload
JOB_BYTES = 16 * 2**20  # largest JOB payload


class FrameType(IntEnum):
    JOB = 1
    ATTEST = 2
    CANCEL = 3
    READY = 16
    POSTURE = 17
    STDOUT = 18
    STDERR = 19
    RESULT = 20
    FINAL = 21
    TAKEN = 22


@dataclass(frozen=True, slots=True)
class Frame:
    type: FrameType
    payload: bytes


def encode(kind: FrameType, payload: bytes = b"") -> bytes:
    return HEADER.pack(kind, len(payload)) + payload


class FrameReader:
    """Incremental parser of the sandbox's stream. ``feed`` bytes, iterate frames; raises ``ProtocolError``.

    ``result_bytes`` caps a RESULT frame; other caps are this module's constants.
    """

    def __init__(self, result_bytes: int = 0) -> None:
        self._buffer = bytearray()
        self.result_bytes = result_bytes

    def _cap(self, kind: FrameType) -> int:
        if kind in (FrameType.STDOUT, FrameType.STDERR):
            return CHUNK_BYTES
        if kind is FrameType.RESULT:
            return self.result_bytes
        if kind in (FrameType.READY, FrameType.POSTURE, FrameType.FINAL):
            return CONTROL_BYTES
        if kind is FrameType.TAKEN:
            return 0
        raise ProtocolError(f"the sandbox sent a frame of type {kind.name}, which only the host sends")

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Append ``chunk`` and yield every frame that is complete."""
        self._buffer += chunk
        while len(self._buffer) >= HEADER.size:
            number, length = HEADER.unpack_from(self._buffer)
            try:
                kind = FrameType(number)
            except ValueError:
                raise ProtocolError(f"the sandbox sent a frame of unknown type {number}") from None
            cap = self._cap(kind)
            if length > cap:
                raise ProtocolError(f"the sandbox announced a {kind.name} frame of {length} bytes; the cap is {cap}")
            if len(self._buffer) < HEADER.size + length:
                return
            payload = bytes(self._buffer[HEADER.size : HEADER.size + length])
            del self._buffer[: HEADER.size + length]
            yield Frame(kind, payload)

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._buffer)
