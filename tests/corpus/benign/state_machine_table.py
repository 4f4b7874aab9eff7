from enum import Enum


class State(Enum):
    IDLE = "idle"
    RUNNING = "running"
    STOPPED = "stopped"


class TransitionError(RuntimeError):
    pass


class Machine:
    TRANSITIONS = {
        (State.IDLE, "start"): State.RUNNING,
        (State.RUNNING, "pause"): State.IDLE,
        (State.RUNNING, "stop"): State.STOPPED,
    }

    def __init__(self):
        self.state = State.IDLE
        self.trace = [self.state]

    def send(self, event):
        try:
            self.state = self.TRANSITIONS[self.state, event]
        except KeyError:
            raise TransitionError(f"{event!r} is not possible in {self.state.value}") from None
        hook = getattr(self, f"on_{self.state.value}", None)
        if callable(hook):
            hook()
        self.trace.append(self.state)
        return self

    def on_running(self):
        self.started = True


def main(events: list):
    machine = Machine()
    for event in events:
        machine.send(event)
    return [s.name for s in machine.trace], getattr(machine, "started", False)
