from collections import defaultdict
from typing import Any, Callable


class EventBus:
    def __init__(self):
        self._handlers: dict[str, list[Callable[..., Any]]] = defaultdict(list)

    def on(self, event):
        def decorator(handler):
            self._handlers[event].append(handler)
            return handler
        return decorator

    def emit(self, event, *args, **kwargs):
        return [handler(*args, **kwargs) for handler in self._handlers[event]]

    def off(self, event, handler):
        self._handlers[event].remove(handler)


bus = EventBus()
log = []


@bus.on("saved")
def remember(name, size=0):
    log.append((name, size))
    return len(log)


@bus.on("saved")
def shout(name, **_):
    return name.upper()


def main():
    first = bus.emit("saved", "a.md", size=3)
    bus.off("saved", shout)
    return first, bus.emit("saved", "b.md"), log
