from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any


@dataclass(frozen=True)
class Event:
    kind: str
    payload: dict[str, Any]
    at: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat())


class Cart:
    def __init__(self) -> None:
        self.items: dict[str, int] = {}
        self.events: list[Event] = []

    def _apply(self, event: Event) -> None:
        handler = {"added": self._added, "removed": self._removed}.get(event.kind)
        if handler is None:
            raise ValueError(f"unknown event {event.kind}")
        handler(**event.payload)

    def _added(self, sku: str, quantity: int = 1) -> None:
        self.items[sku] = self.items.get(sku, 0) + quantity

    def _removed(self, sku: str) -> None:
        self.items.pop(sku, None)

    def record(self, kind: str, **payload: Any) -> None:
        event = Event(kind, payload)
        self._apply(event)
        self.events.append(event)

    @classmethod
    def replay(cls, text: str) -> Cart:
        cart = cls()
        for raw in json.loads(text):
            event = Event(**raw)
            cart._apply(event)
            cart.events.append(event)
        return cart

    def dump(self) -> str:
        return json.dumps([asdict(e) for e in self.events])


def main():
    cart = Cart()
    cart.record("added", sku="x", quantity=2)
    cart.record("added", sku="y")
    cart.record("removed", sku="x")
    return Cart.replay(cart.dump()).items
