"""``Live``: the running side of one run's events: output as text, samples once a run lasts, cancellation.

The engine's stats API is slow to answer (850 to 1000 ms measured on engine 20.10), so a thread of its own reads it and
it is never waited for: what it has is passed on from the run's own thread whenever that looks.
"""

from __future__ import annotations

import codecs
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from loguru import logger

from orchestrator.errors import EngineError
from orchestrator.events import RunEvent, Sample
from orchestrator.outputs.screen import Screen
from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.outcome import Outcome
from orchestrator.sandbox.wire import FrameType
from orchestrator.text import decode

OnEvent = Callable[[RunEvent], None]
SAMPLE_AFTER_SECONDS: Final = 1.0


class Live:
    """For one run, used by one thread. ``on_event`` None: only cancellation is looked at."""

    def __init__(
        self,
        engine: Engine,
        container_id: str,
        run_id: str,
        on_event: OnEvent | None,
        cancelled: Callable[[], bool],
        *,
        screen: Screen,
    ) -> None:
        self._engine, self._container_id, self._run_id = engine, container_id, run_id
        self._on_event, self._cancelled = on_event, cancelled
        self._began = time.monotonic()
        self._samples: queue.SimpleQueue[Sample] = queue.SimpleQueue()
        self._sampler: threading.Thread | None = None
        decoder = codecs.getincrementaldecoder("utf-8")
        self._text = {FrameType.STDOUT: decoder("backslashreplace"), FrameType.STDERR: decoder("backslashreplace")}
        self._streams = {FrameType.STDOUT: screen.stream("stdout"), FrameType.STDERR: screen.stream("stderr")}

    def output(self, kind: FrameType, chunk: bytes) -> None:
        if self._on_event is not None and (text := self._text[kind].decode(chunk)):
            self._tell(kind, self._streams[kind].feed(text))

    def end(self, outcome: Outcome) -> None:
        """Tell what was held back. ``outcome`` is what the result will say."""
        if self._on_event is None:
            return
        for kind, whole in ((FrameType.STDOUT, outcome.stdout), (FrameType.STDERR, outcome.stderr)):
            stream = self._streams[kind]
            self._tell(kind, decode(bytes(whole), len(whole)) if stream.action == "block" else stream.end())

    def _tell(self, kind: FrameType, text: str) -> None:
        if self._on_event is not None and text:
            self._on_event(RunEvent("stdout" if kind is FrameType.STDOUT else "stderr", self._run_id, text=text))

    def poll(self) -> bool:
        """Pass samples on; whether the caller has cancelled."""
        if self._on_event is not None:
            if self._sampler is None and time.monotonic() - self._began > SAMPLE_AFTER_SECONDS:
                self._sampler = threading.Thread(target=self._sample, name="stats", daemon=True)
                self._sampler.start()
            while not self._samples.empty():
                self._on_event(RunEvent("stats", self._run_id, sample=self._samples.get()))
        return self._cancelled()

    def _sample(self) -> None:
        try:
            for document in self._engine.stats(self._container_id):
                if (sample := parse_sample(document)) is not None:
                    self._samples.put(sample)
        except EngineError as error:
            logger.debug("live statistics ended: {}", error)  # the container went away, as it does at the end


def parse_sample(document: Mapping[str, Any]) -> Sample | None:
    """One stats document of the engine API, or None where it lacks a figure."""
    try:
        return Sample(
            memory_bytes=int(document["memory_stats"]["usage"]),
            cpu_seconds=int(document["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9,
            pids=int(document["pids_stats"]["current"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
