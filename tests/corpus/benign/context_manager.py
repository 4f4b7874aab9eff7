from contextlib import contextmanager, suppress


@contextmanager
def section(lines, title):
    lines.append(f"# {title}")
    try:
        yield lines
    finally:
        lines.append("")


class Stack:
    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        return kind is KeyError


def main():
    lines = []
    with section(lines, "one") as out, Stack():
        out.append("text")
    with suppress(ValueError):
        int("x")
    return lines
