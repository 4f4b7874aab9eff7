class Shell:
    """Commands are methods that start with do_."""

    def __init__(self):
        self.history = []
        self.variables = {}

    def run(self, line):
        name, *args = line.split()
        self.history.append(line)
        handler = getattr(self, "do_" + name, None)
        if handler is None:
            return f"unknown command: {name}"
        try:
            return handler(*args)
        except TypeError as exc:
            return f"usage error: {exc}"

    def do_set(self, key, value):
        self.variables[key] = value
        return "ok"

    def do_get(self, key):
        return self.variables.get(key, "<unset>")

    def do_help(self):
        return sorted(name[3:] for name in dir(self) if name.startswith("do_"))


shell = Shell()
result = [shell.run(line) for line in ["set x 1", "get x", "help", "fly", "set y"]]
