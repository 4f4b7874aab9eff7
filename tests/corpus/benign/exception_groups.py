class StepError(Exception):
    def __init__(self, step, reason):
        super().__init__(step, reason)
        self.step, self.reason = step, reason


def run(steps):
    errors = []
    for name, step in steps.items():
        try:
            step()
        except Exception as e:
            errors.append(StepError(name, repr(e)))
    if errors:
        raise ExceptionGroup("some steps failed", errors)


def main():
    failed = []
    try:
        run({"a": lambda: 1 / 0, "b": lambda: int("x"), "c": lambda: None})
    except* StepError as group:
        failed = [e.step for e in group.exceptions]
    return failed
