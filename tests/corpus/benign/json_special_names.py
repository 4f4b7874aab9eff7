import json

RULES = {
    "eval": "never call eval() on input",
    "exec": "exec('...') is dangerous",
    "__import__": "do not use __import__('os')",
    "os.system": "use pathlib instead of import os; os.system(...)",
    "__class__": "avoid ().__class__.__base__.__subclasses__()",
}
FORBIDDEN = ["subprocess", "pickle.loads", "{0.__class__}", "globals()", "sys.modules"]


def lint(source):
    """Looks for words such as eval, exec or __builtins__ in a text; runs nothing."""
    found = []
    for number, line in enumerate(source.splitlines(), 1):
        for word in [*RULES, *FORBIDDEN]:
            if word in line:
                found.append({"line": number, "word": word, "hint": RULES.get(word, "forbidden")})
    return found


def main(source="x = eval('1')\nimport subprocess"):
    # os.system("ls") would be reported as well
    return json.dumps(lint(source), indent=2)
