def compile(pattern):
    return [part.strip() for part in pattern.split("|")]


def evaluate(input, vars):
    """Names like exec or globals in a text are only text."""
    return [vars.get(part, part) for part in compile(input)]


def main(text, os_name="plan9", help=None):
    exec_count = len(evaluate(text, {"eval": "exec", "os": os_name}))
    for dir in ("a", "b"):
        exec_count += len(dir)
    return exec_count
