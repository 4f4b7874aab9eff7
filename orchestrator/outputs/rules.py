"""The rules about what a skill hands out (OUT...), as data in the shape of the scanner's.

OUT1xx  secrets: named by kind and place, never by value
OUT2xx  content that acts on whoever opens a note

What a finding leads to is the policy's: tables ``[secrets]`` and ``[content]``.
"""

from __future__ import annotations

from types import MappingProxyType

from orchestrator.text import one_line
from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import Rule

_KEEP = "keep it out of what the skill prints, returns and writes"
_PLAIN = "write it as plain Markdown"

_RULES = (
    Rule("OUT101", "known value or canary", "the operator named it as a secret of this installation", _KEEP),
    Rule("OUT102", "well-known kind of key", "whoever reads it can use it", _KEEP),
    Rule("OUT103", "too large to examine for secrets", "what is not examined is treated as one", "put out less"),
    Rule("OUT201", "HTML that acts", "scripts, frames, forms and handlers run in the reader's program", _PLAIN),
    Rule("OUT202", "link that runs a script", "a click runs it", "link to http, https or a note"),
    Rule("OUT203", "front-matter key that runs something", "plugins run its value", "leave the key out"),
    Rule("OUT204", "Templater command", "the Templater plugin runs it as JavaScript", "write the result itself"),
    Rule("OUT205", "Dataview query", "the Dataview plugin runs it when the note is shown", "write the result itself"),
    Rule("OUT206", "code block that a plugin runs", "it runs when shown or at a click", "use a plain language"),
    Rule("OUT207", "link into the system", "it opens a local file or makes a program do something", "link to a note"),
    Rule("OUT208", "remote image", "opening the note tells its host, and what the address holds", "store the image"),
    Rule("OUT209", "control character", "terminals obey it: colours, titles, clipboard, cursor", "write plain text"),
    Rule("OUT210", "mark that reorders text", "it reads differently from what it is (CVE-2021-42574)", "leave it out"),
    Rule("OUT211", "too much to examine for active content", "what is not examined is not let through", "write less"),
)  # fmt: skip

RULES = MappingProxyType({rule.id: rule for rule in _RULES})


def finding(rule_id: str, place: str, detail: str = "", *, warning: bool = False) -> Finding:
    """``place``: stdout, stderr, error, output with a JSON pointer, or a note's path. No value is ever in it."""
    rule, subject = RULES[rule_id], one_line(place, 240)
    message = f"{subject}: {rule.title}" + (f" ({detail})" if detail else "")
    return Finding(rule_id, subject, message, rule.fix, severity="warning" if warning else "error")
