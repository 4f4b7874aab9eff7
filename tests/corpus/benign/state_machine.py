import logging

log = logging.getLogger(__name__)


class Machine:
    transitions = {("idle", "start"): "running", ("running", "stop"): "idle"}

    def __init__(self):
        self.state = "idle"

    def fire(self, event):
        try:
            self.state = self.transitions[self.state, event]
        except KeyError:
            log.warning("no transition for %s in %s", event, self.state)
        return self.state


def main(events):
    logging.basicConfig(level=logging.INFO)
    machine = Machine()
    return [machine.fire(e) for e in events]
