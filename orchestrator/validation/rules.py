"""The scanner's rules, as data: what each one looks at, why, and what to write instead.

Ids are stable and never reused. A rule is one of two kinds. A *fact* (severity ``info``) is something a program may
well do - import a module, name a builtin - which the policy's lists judge by the finding's ``subject``. Any other rule
is a denial by itself, unless the policy sets it to ``warn`` or ``off``. ``mandatory`` rules mean that the scanner could
not see the whole program: no policy can loosen them.

Which rules apply to which syntax is in checks.py; what a level makes of them is in orchestrator/policy/.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.validation.finding import Finding, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    title: str
    why: str
    fix: str
    severity: Severity = "error"
    mandatory: bool = False

    @property
    def is_fact(self) -> bool:
        """Judged by the policy's lists, not by itself."""
        return self.severity == "info"


_RULES = (
    # 0xx: the text as a whole
    Rule("ORC001", "not valid Python", "what cannot be parsed cannot be examined", "correct it", mandatory=True),
    Rule("ORC002", "source too large", "examining it would cost the host too much", "shorten it", mandatory=True),
    Rule(
        "ORC003",
        "nested too deeply",
        "deep nesting exhausts the stack of whoever reads the program",
        "split the expression or block into named parts; replace long elif chains by a dict",
        mandatory=True,
    ),
    Rule(
        "ORC004",
        "too much to report",
        "a report that is cut off could hide the one finding that matters",
        "split the program, or use fewer distinct names",
        mandatory=True,
    ),
    Rule(
        "ORC005",
        "unknown syntax",
        "syntax that the scanner was not taught is denied",
        "write it with the syntax of Python 3.11",
        mandatory=True,
    ),
    Rule(
        "ORC006",
        "bidirectional control character",
        "it makes the program read differently from how it runs (CVE-2021-42574)",
        "remove it; in a string write it as an escape such as \\u202e",
    ),
    Rule(
        "ORC007",
        "control character in the source",
        "editors and Python disagree on where lines end, so code can hide in a comment",
        "end lines with LF; in a string write the character as an escape",
    ),
    # 1xx: imports
    Rule("ORC101", "import", "modules are the way to everything outside the program", "", severity="info"),
    Rule(
        "ORC102",
        "star import",
        "it binds names that cannot be seen in the source",
        "import the names that are used",
    ),
    Rule("ORC103", "relative import", "a skill is one file and has no package", "import by absolute name"),
    Rule(
        "ORC104",
        "module reached through another module",
        "modules carry the modules they import, denied ones among them",
        "import the module itself, if the policy allows it",
    ),
    Rule(
        "ORC105",
        "private name of a module",
        "underscore names are the unguarded inside of a module",
        "use the module's public names",
    ),
    # 2xx: builtins
    Rule("ORC201", "name from builtins", "some builtins run text as code or expose namespaces", "", severity="info"),
    Rule(
        "ORC202",
        "attribute named at run time",
        "an attribute whose name is computed cannot be examined",
        "write the attribute out, or use a dict; a literal name is fine",
    ),
    Rule(
        "ORC203",
        "interpreter's own name",
        "names of the form __x__ that are no part of the program lead into the import system and the namespaces",
        "use another name, or an import statement",
    ),
    Rule(
        "ORC204",
        "interpreter's name as a key",
        "it takes power out of a namespace dict",
        "use another key",
    ),
    # 3xx: attributes
    Rule("ORC301", "dunder attribute", "they lead from any value to classes, code and namespaces", "", severity="info"),
    Rule(
        "ORC302",
        "frame, code or class-hierarchy attribute",
        "frames and class hierarchies lead to the namespaces of other code",
        "remove it; for the text of an error use str(error) or traceback.format_exc()",
    ),
    Rule(
        "ORC303",
        "module reached through an object",
        "objects of the standard library carry modules",
        "import the module itself, if the policy allows it; or rename the attribute",
    ),
    Rule(
        "ORC304",
        "attribute path in a format string",
        "a format field reads attributes: '{0.__class__}'",
        "pass the value itself: '{}'.format(value)",
    ),
    Rule(
        "ORC305",
        "format on a computed template",
        "a format field reads attributes, and this template cannot be examined",
        "use an f-string, or call .format on a literal",
    ),
    # 4xx: what modules offer
    Rule("ORC401", "name of a module", "parts of an allowed module can be denied", "", severity="info"),
    Rule(
        "ORC402",
        "module used as a value",
        "a module that is passed around can no longer be followed",
        "name the module where it is used: module.function",
    ),
    Rule(
        "ORC403",
        "starts a process or loads native code",
        "there are no programs in the sandbox, and native code is not loaded",
        "do the work in Python",
    ),
)

RULES = MappingProxyType({rule.id: rule for rule in _RULES})


def make_finding(
    rule_id: str, subject: str, message: str, *, line: int = 0, column: int = 0, fix: str | None = None
) -> Finding:
    """A finding of one rule; ``fix`` defaults to the rule's. ``message`` may hold text of the program: it is shortened
    and its control characters escaped, so that it can be printed."""
    rule = RULES[rule_id]
    return Finding(
        rule=rule_id,
        subject=_printable(subject),
        message=_printable(message),
        fix=rule.fix if fix is None else fix,
        severity=rule.severity,
        line=line,
        column=column,
    )


def _printable(text: str, limit: int = 200) -> str:
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
