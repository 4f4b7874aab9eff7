"""``Alerts``: what the operator is told of, by the channels that the settings name. Never in the way of a run."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from loguru import logger

from orchestrator import forks
from orchestrator.alerts.admission import Admission
from orchestrator.alerts.channels import Apprise, Channel, ChannelFault, Command, Webhook
from orchestrator.alerts.inbox import Inbox, Waiting
from orchestrator.alerts.journal import Journal
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
NOTE_SECONDS: Final = 1.0  # more than that, where the channels took it all, for what the journal has to hear
NAMES: Final = ("alert_webhook", "alert_command", "alert_note", "alert_apprise")  # of the settings, for channels


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a test alert: ``fault`` is "" where the channel took it."""

    channel: str
    fault: str


class Alerts:
    """Thread-safe. ``send`` neither waits nor raises. Close it, so that what waits is sent. A forked child sends
    nothing: the threads are the parent's, and so is what they have to tell.

    send -> inbox -> admission (journal, else throttle) -> an outbox for each channel -> the journal hears of it
    """

    def __init__(
        self,
        channels: Sequence[Channel] = (),
        *,
        interval_seconds: float = 300.0,
        per_hour: int = 60,
        known: KnownValues | None = None,
        journal: Journal | None = None,
    ) -> None:
        """``known`` values and well-known kinds of keys are taken out of every alert. ``journal``: where alerts are
        noted, also without a channel; by it the limits hold for all its processes."""
        self._detector = Detector(known or KnownValues())
        throttle = Throttle(interval_seconds, per_hour)
        self._admission = Admission(throttle, journal, self._detector, channels=len(channels))
        self._outboxes = tuple(Outbox(channel, self._detector, self._admission.report) for channel in channels)
        self._inbox = Inbox(self._look, merge=interval_seconds > 0)
        self._idle = not channels and journal is None
        self._child = False
        forks.watch(self)

    @classmethod
    def of(
        cls,
        settings: Settings,
        history: History | None = None,
        known: KnownValues | None = None,
        journal: Journal | None = None,
    ) -> Self:
        """As the settings say. ``history`` is the vault's, for notes. Raises SettingsError where a channel that was
        asked for cannot work."""
        return cls(
            channels_of(settings, history),
            interval_seconds=settings.alert_interval_seconds,
            per_hour=settings.alert_per_hour,
            known=known,
            journal=journal,
        )

    def send(self, alert: Alert) -> None:
        if self._child:
            return
        if not self._outboxes and alert.kind == "run_failed":
            _say_that_nobody_hears()
        if not self._idle and not self._inbox.put(alert):
            logger.warning("an alert ({}) was dropped: alerts are closed, or too many wait", alert.kind)

    def _look(self, waiting: Waiting) -> None:
        """In the inbox's thread."""
        try:
            notice = self._admission.admit(waiting)
        except Exception as error:  # noqa: BLE001 - one that makes no document must not end the others; told
            logger.error("an alert ({}) was dropped: {}", waiting.alert.kind, type(error).__name__)
            return
        if notice is None:
            return
        if full := [outbox.channel.name for outbox in self._outboxes if not outbox.put(notice)]:
            logger.warning(
                "an alert ({}) was dropped: {} is closed, or too many wait", notice.alert.kind, ", ".join(full)
            )

    def test(self) -> list[Tried]:
        """Send a test alert through each channel, now and in this thread; what became of it. Nothing notes it."""
        told = document(Notice(Alert("test", "this is a test: alerts arrive here")), self._detector)
        return [Tried(outbox.channel.name, _fault(outbox.channel, told)) for outbox in self._outboxes]

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Send what waits, for at most ``timeout`` seconds over all channels; what hangs then is ended, which takes a
        moment more. Idempotent."""
        deadline = time.monotonic() + timeout
        lost = self._inbox.close(deadline)
        lost += sum(outbox.close(deadline) for outbox in self._outboxes)
        kept_back = self._admission.close(max(deadline, time.monotonic() + NOTE_SECONDS))
        if lost or kept_back:
            logger.warning("{} alerts were not sent; {} more were like ones that were", lost, kept_back)

    def after_fork_in_child(self) -> None:
        """Another thread may have held a lock."""
        self._child = True
        self._outboxes, self._inbox = (), Inbox(self._look)
        self._admission = Admission(Throttle(0.0, 1), None, self._detector, channels=0)


@functools.cache
def _say_that_nobody_hears() -> None:
    """Once in a process: a skill's runs may fail all day."""
    logger.warning(
        "a run failed whose skill asks for an alert (on_error), and nobody hears of it: set one of {}", ", ".join(NAMES)
    )


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
