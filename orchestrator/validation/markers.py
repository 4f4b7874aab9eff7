"""What the texts of inputs are looked through for, as data: each check with its reason, its fix and its detector.

A marker is no proof: prose about SQL looks like SQL, and a skill that treats its inputs as data is not harmed by it. So
a policy says for each check, everywhere and by field, whether it denies, warns or is off (``[inputs]``). Detectors are
RE2 patterns or small parsers; all are linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from orchestrator.schemas.formats import is_email
from orchestrator.schemas.patterns import compile_pattern
from orchestrator.validation.addresses import too_many_urls, urls_in, why_inside

Detector = Callable[[str], str]
"""What of the text a check finds, to be shown; "" for nothing."""


@dataclass(frozen=True, slots=True)
class InputCheck:
    """``title`` completes "the text ..."; ``by_field``: only for fields that a policy names, off everywhere else."""

    id: str
    name: str
    title: str
    why: str
    fix: str
    find: Detector
    by_field: bool = False


def _by_pattern(*alternatives: str) -> Detector:
    source = "(?i)" + "|".join(f"(?:{each})" for each in alternatives)

    def find(text: str) -> str:
        return compile_pattern(source).first_in(text)

    return find


# Tab, line ends, vertical tab and form feed stand in ordinary text; U+0085 ends lines in some.
_CONTROL: Final = _by_pattern(r"[\x00-\x08\x0e-\x1f\x7f-\x{84}\x{86}-\x{9f}]")
_BIDI: Final = _by_pattern(r"[\x{202a}-\x{202e}\x{2066}-\x{2069}]")
_LINE_BREAK: Final = _by_pattern(r"[\n\r\t\v\f\x{85}\x{2028}\x{2029}]")
_UP: Final = _by_pattern(r"(?:^|[^a-z0-9_.])\.\.[/\\]", r"(?:^|[/\\])\.\.$")
_ABSOLUTE: Final = _by_pattern(r"^(?:/[^/\s]|/$|~[a-z0-9_-]*(?:/|$)|[a-z]:[/\\]|\\\\|file:)")
_OVERLONG: Final = re.compile("%c0%ae|%e0%80%ae|%u002e|(%c0%af|%e0%80%af|%c1%9c|%u2215|%u002f)", re.IGNORECASE)
_LOOK_ALIKES: Final = str.maketrans(
    {"\uff0e": ".", "\ufe52": ".", "\u2024": ".", "\u2025": "..", "\uff0f": "/", "\u2044": "/", "\u2215": "/",
     "\u29f8": "/", "\uff3c": "\\", "\ufe68": "\\"}
)  # fmt: skip
_ROUNDS: Final = 3  # of percent-decoding


def _traversal(text: str) -> str:
    return next((found for form in _spellings(text) if (found := _UP(form))), "")


def _absolute(text: str) -> str:
    """The sandbox's own places are no outside: a skill sees the vault at /vault."""
    for form in _spellings(text.lstrip()):
        inside = form in ("/vault", "/tmp") or form.startswith(("/vault/", "/tmp/"))  # noqa: S108 - the sandbox's
        if not inside and (found := _ABSOLUTE(form)):
            return found
    return ""


def _spellings(text: str) -> list[str]:
    """The text as it stands, and as a careless reader would decode it."""
    plain = text if text.isascii() else text.translate(_LOOK_ALIKES)
    found = [plain]
    for _ in range(_ROUNDS):
        if "%" not in found[-1]:
            break
        found.append(unquote(_OVERLONG.sub(lambda match: "/" if match[1] else ".", found[-1])))
    return found


def _bad_email(text: str) -> str:
    return "" if is_email(text) else text


_WEB: Final = frozenset({"", "http", "https", "ftp", "ws", "wss"})


def _private_url(text: str) -> str:
    for url in urls_in(text):
        for host in url.hosts:
            if why := why_inside(host, web=url.scheme in _WEB):
                return f"{host} {why}"
    return "more addresses than are looked at" if too_many_urls(text) else ""


def _credentials(text: str) -> str:
    return next((f"{url.scheme}://...@{url.hosts[0]}" for url in urls_in(text) if url.credentials), "")


_CHECKS: Final = (
    InputCheck(
        "INP101", "control_characters", "holds control characters",
        "terminals, logs and file systems obey them", "remove them", _CONTROL,
    ),
    InputCheck(
        "INP102", "bidi_controls", "holds bidirectional overrides or isolates",
        "they make a text read differently from what it is (CVE-2021-42574)", "remove them", _BIDI,
    ),
    InputCheck(
        "INP103", "line_breaks", "has a line break or tab",
        "one line becomes two: in a file name, a header or a log", "give one line", _LINE_BREAK, by_field=True,
    ),
    InputCheck(
        "INP111", "path_traversal", "leads out of its directory",
        "a path that climbs reaches files that nobody meant",
        "give a path below the directory, without '..' in any spelling", _traversal,
    ),
    InputCheck(
        "INP112", "absolute_path", "is an absolute path",
        "it names a place outside the directory it is used in", "give a path relative to the vault", _absolute,
    ),
    InputCheck(
        "INP121", "email", "is not an e-mail address",
        "what is no address can carry headers or options", "give one address like name@example.org", _bad_email,
        by_field=True,
    ),
    InputCheck(
        "INP131", "private_url", "leads into a private network",
        "whoever follows it reaches machines that strangers cannot (SSRF)", "give a URL with a public host",
        _private_url,
    ),
    InputCheck(
        "INP132", "url_credentials", "has a user and password in a URL",
        "it gives a secret away, or hides where the URL leads", "leave out what stands before the @", _credentials,
    ),
    InputCheck(
        "INP141", "sql", "holds a mark of SQL injection",
        "a skill that builds a query from it runs what it says", "give plain text; in the skill, use parameters",
        _by_pattern(
            r"\bunion\s+(?:all\s+)?select\b",
            r"['\"]\s*(?:or|and)\s+['\"(]?\w+['\")]?\s*(?:=|like\b|<|>)",
            r"['\"`)]\s*;?\s*(?:--|#|/\*)",
            r";\s*(?:drop|delete|insert|update|alter|truncate|create|exec|shutdown)\s+\w",
            r"\b(?:xp_cmdshell|information_schema|pg_sleep|load_file|waitfor\s+delay)\b",
            r"\b(?:sleep|benchmark)\s*\(\s*[0-9]",
            r"\binto\s+(?:outfile|dumpfile)\b",
        ),
    ),
    InputCheck(
        "INP142", "shell", "holds a mark of shell injection",
        "a program that puts it into a command line runs what it says", "give plain text",
        _by_pattern(
            r"\$\([^)]", r"\$\{?IFS\b",
            r"(?:[;&|]|\|\||&&|`)\s*(?:sudo\s+)?(?:rm|cat|curl|wget|sh|bash|zsh|nc|ncat|chmod|chown|mkfifo|python[0-9.]*|"
            r"perl|ruby|php|powershell|cmd|eval|exec|id|whoami|uname|ping|kill|dd)(?:\s+[-/.~$\w]|\s*$|\s*[;&|`])",
            r">\s*/(?:etc|dev|proc|bin|usr|tmp)/", r"/dev/tcp/", r"^-{1,2}[a-z][\w-]*=",
        ),
    ),
    InputCheck(
        "INP143", "template", "holds a mark of template injection",
        "a template engine evaluates it", "give plain text",
        _by_pattern(
            r"\{\{[^{}]*(?:__|\bself\b|\bconfig\b|\brequest\b|\bcycler\b|\blipsum\b|\[\]|[0-9]\s*\*\s*[0-9])",
            r"\{%-?\s*(?:import|include|extends|from|macro|call|set|for|if|raw|debug)\b",
            r"[$#]\{[^{}]*(?:[0-9]\s*\*\s*[0-9]|\bT\(|getClass|\.class\b|Runtime|jndi:|__)",
            r"\$\{(?:jndi|env|sys|ctx|lower|upper):", r"<%[=-]?\s*\w", r"\{[\w.!\[\]]*\.?__\w+__",
        ),
    ),
)  # fmt: skip

CHECKS: Final = MappingProxyType({check.name: check for check in _CHECKS})

# What a policy's bounds and a field's own terms find: rule -> what it says. They deny wherever a policy sets them.
TERMS: Final = MappingProxyType(
    {
        "INP151": "the inputs are larger than the policy allows",
        "INP152": "the inputs are nested deeper than the policy allows",
        "INP153": "the text does not match the pattern of its field",
        "INP154": "a URL's scheme is not one of the policy's or the field's",
        "INP155": "a URL's host is not one of the field's",
    }
)
