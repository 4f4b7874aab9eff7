"""``Alerts``: what the operator is told of, by the channels that the settings name. Never in the way of a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from loguru import logger

from orchestrator import forks
from orchestrator.alerts.channels import Apprise, Channel, ChannelFault, Command, Webhook
from orchestrator.alerts.model import Alert, Notice, document
from orchestrator.alerts.note import Note
from orchestrator.alerts.outbox import Outbox
from orchestrator.alerts.throttle import Throttle
from orchestrator.errors import SettingsError
from orchestrator.outputs.known import KnownValues
from orchestrator.outputs.secrets import Detector
from orchestrator.settings import Settings
from orchestrator.vault.history import History

CLOSE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a test alert: ``fault`` is "" where the channel took it."""

    channel: str
    fault: str


class Alerts:
    """Thread-safe. ``send`` neither waits nor raises. Close it, so that what waits is sent. A forked child sends
    nothing: the threads are the parent's, and so is what they have to tell."""

    def __init__(
        self,
        channels: Sequence[Channel] = (),
        *,
        interval_seconds: float = 300.0,
        per_hour: int = 60,
        known: KnownValues | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``known`` values and well-known kinds of keys are taken out of every alert."""
        self._detector = Detector(known or KnownValues())
        self._outboxes = tuple(Outbox(channel, self._detector) for channel in channels)
        self._throttle = Throttle(interval_seconds, per_hour)
        self._lock = threading.Lock()
        self._clock = clock
        forks.watch(self)

    @classmethod
    def of(cls, settings: Settings, history: History | None = None, known: KnownValues | None = None) -> Self:
        """As the settings say. ``history`` is the vault's, for notes. Raises SettingsError where a channel that was
        asked for cannot work."""
        return cls(
            channels_of(settings, history),
            interval_seconds=settings.alert_interval_seconds,
            per_hour=settings.alert_per_hour,
            known=known,
        )

    def send(self, alert: Alert) -> None:
        if not self._outboxes:
            return
        with self._lock:
            notice = self._throttle.admit(alert, self._clock())
        if notice is None:
            return
        if full := [outbox.channel.name for outbox in self._outboxes if not outbox.put(notice)]:
            logger.warning("an alert ({}) was dropped: {} is closed, or too many wait", alert.kind, ", ".join(full))

    def test(self) -> list[Tried]:
        """Send a test alert through each channel, now and in this thread; what became of it."""
        told = document(Notice(Alert("test", "this is a test: alerts arrive here")), self._detector)
        return [Tried(outbox.channel.name, _fault(outbox.channel, told)) for outbox in self._outboxes]

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Send what waits, for at most ``timeout`` seconds over all channels. Idempotent."""
        deadline = time.monotonic() + timeout
        lost = sum(outbox.close(deadline) for outbox in self._outboxes)
        with self._lock:
            kept_back = self._throttle.unsent()
        if lost or kept_back:
            logger.warning("{} alerts were not sent; {} more were like ones that were", lost, kept_back)

    def after_fork_in_child(self) -> None:
        """Another thread may have held a lock."""
        self._lock, self._outboxes, self._throttle = threading.Lock(), (), Throttle(0.0, 1)


def _fault(channel: Channel, told: dict[str, object]) -> str:
    try:
        channel.send(told)
    except ChannelFault as fault:
        return str(fault)
    return ""


def channels_of(settings: Settings, history: History | None) -> list[Channel]:
    found: list[Channel] = []
    if url := settings.alert_webhook.get_secret_value():
        found.append(Webhook(url))
    if settings.alert_command:
        found.append(Command(settings.alert_command))
    if settings.alert_note:
        if history is None:
            raise SettingsError("alert_note is set, and there is no vault for notes", hint="set vault")
        found.append(Note(history, settings.alert_note))
    if settings.alert_apprise:
        found.append(Apprise([url.get_secret_value() for url in settings.alert_apprise]))
    return found
