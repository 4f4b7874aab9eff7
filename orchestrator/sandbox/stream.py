"""``Stream``: the attached socket of one container as frames. Non-blocking inside, deadlines outside.

Undoes Docker's multiplexing (stream number, three zero bytes, length) and then our own framing (``wire.py``).
Standard error of the container is not protocol: it is kept, capped, to explain a sandbox that did not start.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections import deque
from typing import Final

from orchestrator import forks
from orchestrator.errors import ProtocolError, SandboxError
from orchestrator.sandbox.wire import Frame, FrameReader, FrameType, encode
from orchestrator.text import decode

_MUX: Final = struct.Struct(">BxxxI")
_MUX_STDOUT, _MUX_STDERR = 1, 2
_MUX_CAP: Final = 1 << 24  # dockerd copies in pieces of 32 KiB; anything near this is not dockerd
_DIAGNOSTIC_BYTES: Final = 8192
_RECEIVE_BYTES: Final = 1 << 18


class StreamEnded(SandboxError):  # noqa: N818 - an event as much as an error
    """The container closed its end."""


class Stream:
    """Frames over an attached socket. Not thread-safe: a sandbox belongs to one thread at a time."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._raw = bytearray()
        self._reader = FrameReader()
        self._frames: deque[Frame] = deque()
        self._diagnostic = bytearray()
        self._mux_left, self._mux_kind = 0, 0
        forks.watch(self)

    def after_fork_in_child(self) -> None:
        """Close the child's copy: with it open, the supervisor would not notice the parent's death."""
        self._socket.close()

    def expect_result(self, cap: int) -> None:
        """Accept a RESULT frame of up to ``cap`` bytes from now on."""
        self._reader.result_bytes = cap

    @property
    def diagnostic(self) -> str:
        """What the container said on standard error, escaped and capped."""
        return decode(bytes(self._diagnostic), _DIAGNOSTIC_BYTES)

    @property
    def trailing(self) -> bool:
        """Something has come after the last frame that ``receive`` returned, be it part of one."""
        return bool(self._frames) or self._reader.pending > 0

    @property
    def between_frames(self) -> bool:
        """Nothing of a next frame has come, nor of the engine's header before it."""
        return not (self.trailing or self._raw or self._mux_left)

    def quiet(self) -> bool:
        """Nothing to read and not closed: how an idle sandbox must be."""
        return not self._frames and not self._poll.poll(0)

    def send(self, kind: FrameType, payload: bytes, deadline: float) -> None:
        """Write one frame by ``deadline`` (monotonic seconds); SandboxError when the sandbox does not take it."""
        view = memoryview(encode(kind, payload))
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise SandboxError("the sandbox does not read its input") from None
                select.select([], [self._socket], [], left)
            except OSError as error:
                raise StreamEnded(f"the sandbox closed its input: {error}") from error

    def receive(self, timeout: float) -> Frame | None:
        """The next frame, or None when none came within ``timeout`` seconds. StreamEnded at the end."""
        deadline = time.monotonic() + timeout
        while not self._frames:
            left = deadline - time.monotonic()
            if not self._poll.poll(max(0.0, left) * 1000):
                return None
            self._read()
        return self._frames.popleft()

    def _read(self) -> None:
        try:
            chunk = self._socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise StreamEnded(f"the sandbox's stream broke: {error}") from error
        if not chunk:
            raise StreamEnded("the sandbox's stream ended")
        self._raw += chunk
        while self._raw:
            if self._mux_left == 0:
                if len(self._raw) < _MUX.size:
                    return
                self._mux_kind, self._mux_left = _MUX.unpack_from(self._raw)
                if self._mux_kind not in (_MUX_STDOUT, _MUX_STDERR) or self._mux_left > _MUX_CAP:
                    raise ProtocolError("the engine's stream is not multiplexed as it should be")
                del self._raw[: _MUX.size]
                continue
            piece = bytes(self._raw[: self._mux_left])
            del self._raw[: len(piece)]
            self._mux_left -= len(piece)
            if self._mux_kind == _MUX_STDOUT:
                self._frames.extend(self._reader.feed(piece))
            else:
                self._diagnostic += piece[: max(0, _DIAGNOSTIC_BYTES - len(self._diagnostic))]

    def end_input(self) -> None:
        """End the sandbox's input and keep listening: the supervisor exits. From any thread; harmless when closed."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go: the supervisor sees its stdin end and the container exits."""
        self._socket.close()
