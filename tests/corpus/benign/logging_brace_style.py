import logging

handler = logging.StreamHandler()
handler.setFormatter(logging.Formatter("{asctime} {levelname:<8} {name} {message}", style="{"))
log = logging.getLogger("brace")
log.addHandler(handler)
log.setLevel("INFO")
log.propagate = False


class Counter(logging.Handler):
    def __init__(self):
        super().__init__(level=logging.WARNING)
        self.count = 0

    def emit(self, record):
        self.count += record.levelno >= logging.WARNING


counter = Counter()
log.addHandler(counter)
log.info("hello")
log.warning("careful: %s", "wet floor")
result = counter.count
