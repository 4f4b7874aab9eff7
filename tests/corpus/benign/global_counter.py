counter = 0
CONFIG = {"__type__": "demo", "exec": True}
__version__ = "1.0"
__all__ = ["main"]


def bump():
    global counter
    counter += 1
    return counter


def make():
    total = 0

    def add(n):
        nonlocal total
        total += n
        return total

    return add


def main():
    add = make()
    return [bump(), add(2), add(3), CONFIG["__type__"]]
