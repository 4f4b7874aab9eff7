"""The scanner's rules, as data: what each one looks at, why, and what to write instead.

Ids are stable and never reused. A rule is one of two kinds. A *fact* (severity ``info``) is something a program may
well do - import a module, name a builtin - which the policy's lists judge by the finding's ``subject``. Any other rule
is a denial by itself, unless the policy sets it to ``warn`` or ``off``. ``mandatory`` rules mean that the scanner could
not see the whole program: no policy can loosen them.

Which rules apply to which syntax is in checks/; what a level makes of them is in orchestrator/policy/.
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
    Rule(
        "ORC008",
        "the scan did not finish",
        "code that was not examined to its end is not run",
        "try again; if it stays, split the program or make it simpler",
        mandatory=True,
    ),
    Rule(
        "ORC009",
        "look-alike name",
        "letters of another script make one name pass for another (CVE-2021-42694)",
        "write the whole name in one script",
    ),
    Rule("ORC010", "syntax of a later Python", "the sandbox's Python may be older", "", severity="info"),
    Rule(
        "ORC011",
        "invisible character",
        "what nobody sees can hide a difference between two names, or data",
        "remove it; in a string write it as an escape such as \\u200b",
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
    Rule(
        "ORC106",
        "powerful module imported and not used",
        "os and its like are allowed for what a program is seen to use of them",
        "remove the import, or name what is used: os.path.join(...)",
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
    Rule(
        "ORC205",
        "vars as a way into a namespace",
        "vars() without an argument, or of a module or class, is a namespace",
        "use dataclasses.asdict, or a dict of your own",
    ),
    Rule(
        "ORC206",
        "attribute named by data",
        "which attribute it is shows only in the run",
        "use a dict, or a literal name; f'visit_{kind}', with a literal beginning, is fine as well",
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
    Rule(
        "ORC306",
        "attributes as a dict",
        "the dict of an object gives its attributes by computed names",
        "use dataclasses.asdict, or name the attributes",
    ),
    Rule(
        "ORC307",
        "annotations or members replaced",
        "what is put there is evaluated or read by the standard library",
        "keep the values in a dict of your own",
    ),
    Rule(
        "ORC308",
        "private attribute of a foreign object",
        "underscore names are the unguarded inside of an object that the program did not make",
        "use its public names",
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
    # 5xx: obfuscation
    Rule(
        "ORC501",
        "name or code put together from parts",
        "nobody spells a dangerous name in pieces without having something to hide",
        "write the text in one piece",
    ),
    Rule(
        "ORC502",
        "blob",
        "what a large, dense constant holds cannot be reviewed",
        "put the data into a note or an input",
    ),
    Rule(
        "ORC503",
        "obfuscated program",
        "text that is decoded or made character by character cannot be reviewed",
        "write texts and names as they are",
    ),
    # 6xx: resource traps
    Rule(
        "ORC601",
        "larger than any sandbox",
        "a run that starts with this can only end at a limit",
        "use a smaller size",
    ),
    Rule(
        "ORC602",
        "regular expression of exponential time",
        "a short text can keep it busy until the run's limit",
        "separate the repeated parts by something they cannot contain: (?:\\w+\\s)* instead of (?:\\w+\\s?)*",
    ),
    # 8xx: the code held against its manifest (contract.py). Those of severity "warning" warn unless a policy denies.
    Rule(
        "ORC801",
        "no such entry point",
        "a run calls the function that the manifest names",
        "define it at the top level of the code, or correct the manifest's entrypoint",
    ),
    Rule(
        "ORC802",
        "parameter by position only",
        "inputs are given by name, so every call would fail",
        "remove the / from the parameter list, or give the parameter a default",
    ),
    Rule(
        "ORC803",
        "parameter that no input can fill",
        "every call would fail",
        "add it to inputs_schema, or give it a default",
    ),
    Rule(
        "ORC804",
        "parameter that an input may not fill",
        "a run without that input would fail in the sandbox, not at the check of its inputs",
        "require it in inputs_schema, or give it a default",
        severity="warning",
    ),
    Rule(
        "ORC805",
        "input that the entry point does not take",
        "every call would fail",
        "add a parameter, or remove the input from the manifest",
    ),
    Rule(
        "ORC806",
        "optional input that the entry point does not take",
        "a run with that input would fail in the sandbox, not at the check of its inputs",
        "add a parameter, or remove the input from inputs_schema",
        severity="warning",
    ),
    Rule(
        "ORC811",
        "use of the network",
        "the sandbox has none",
        "let the caller fetch what is needed and give it as an input",
        severity="warning",
    ),
    Rule(
        "ORC812",
        "database that is not asked for",
        "its file can only lie below /tmp or in a directory that the manifest asks to write",
        'use ":memory:" or a file below /tmp; or ask for the directory in vault.write',
        severity="warning",
    ),
    Rule(
        "ORC813",
        "write to a directory that is not asked for",
        "what is not in vault.write cannot be written",
        "add the directory to vault.write; or write below /tmp, or return the text as the output",
        severity="warning",
    ),
    Rule(
        "ORC814",
        "possible write to the vault",
        "what is not in vault.write cannot be written",
        "add the directory to vault.write; or write below /tmp, or return the text as the output",
        severity="warning",
    ),
    Rule(
        "ORC821",
        "module that the image does not hold",
        "its import fails in the sandbox",
        "do without, or use an image that holds its distribution",
        severity="warning",
    ),
    Rule(
        "ORC822",
        "module of a distribution that is no dependency",
        "the manifest then does not say what the code needs, and another image may lack it",
        "list the distribution in the manifest's dependencies",
        severity="warning",
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
