"""Threads of alerts: started when there is something to do, and no reason for a process to stay."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from loguru import logger


def started(work: Callable[[], None], name: str) -> threading.Thread | None:
    """None, and logged, where the system has no more threads: the next alert tries again."""
    thread = threading.Thread(target=work, name=f"alerts-{name}", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        logger.warning("alerts wait for a thread ({}): {}", name, error)
        return None
    return thread


def joined(thread: threading.Thread | None, deadline: float) -> bool:
    """Whether it has ended by ``deadline`` (monotonic, seconds)."""
    if thread is None:
        return True
    thread.join(max(0.0, deadline - time.monotonic()))
    return not thread.is_alive()
