"""Well-known kinds of keys, by the patterns of detect-secrets, which others maintain, and a few of our own.

How it is used, and how not:
* its plugins' patterns and their own checks are taken; not its scanner, whose allow-list comments ("pragma: allowlist
  secret") hostile output could carry, and never its verification, which asks the keys' issuers over the network;
* RE2 runs the patterns: some of them are quadratic in ``re`` ("eyJeyJeyJ..."); the plugin only sees what RE2 found;
* ``_TRIGGERS`` is one pass that says whether anything can be there; only then is detect-secrets imported (0.1 s, once).

Chosen are plugins whose secrets have a form of their own. Left out, because ordinary output has what they find: the
high-entropy detectors (hashes, UUIDs, base64), KeywordDetector (prose about passwords), IPPublicDetector (addresses are
no secrets), ArtifactoryDetector (upper-case words), and the three of IBM and Cloudant, which go by a word nearby.
"""

from __future__ import annotations

import binascii
import importlib
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any, Final

from orchestrator.outputs.hits import Hit, TooMany
from orchestrator.outputs.linear import linear

MAX_HITS: Final = 2000
_MAX_PIECES: Final = 50_000  # decoded in one text; what comes after them is looked at as it stands only
_CONFIRMED_CHARACTERS: Final = 8192  # of one find, given to the plugin's own check
_KEY_BYTES: Final = 16 * 1024  # of a private key's body
_KEY_BODY: Final = 40  # characters that a header is followed by, or it is prose about keys


@dataclass(frozen=True, slots=True)
class Plugin:
    """``trigger``: an RE2 pattern that is found wherever one of the plugin's is. ``why``: by what it is told apart."""

    module: str
    type: str
    trigger: bytes
    why: str


PLUGINS: Final = {
    "aws": Plugin(
        "aws", "AWSKeyDetector",
        rb"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}"
        rb"|(?i:aws.{0,20}(?:key|pwd|pw|password|pass|token).{0,20}['\"][0-9a-z/+]{40}['\"])", "prefix and length",
    ),
    "azure": Plugin("azure_storage_key", "AzureStorageKeyDetector", rb"AccountKey=", "name and length"),
    "basic_auth": Plugin("basic_auth", "BasicAuthDetector", rb"://[^\s:@/]+:[^\s@/]+@", "a password in an address"),
    "discord": Plugin(
        "discord", "DiscordBotTokenDetector", rb"[MNO][a-zA-Z0-9_-]{23,25}\.[a-zA-Z0-9_-]{6}\.", "three parts' lengths"
    ),
    "github": Plugin("github_token", "GitHubTokenDetector", rb"gh[pousr]_", "prefix"),
    "gitlab": Plugin("gitlab_token", "GitLabTokenDetector", rb"gl[a-z]{2,6}-|GR1348941", "prefix"),
    "jwt": Plugin("jwt", "JwtTokenDetector", rb"eyJ[A-Za-z0-9_=-]+\.", "its parts must decode to JSON"),
    "mailchimp": Plugin("mailchimp", "MailchimpDetector", rb"[0-9a-z]{32}-us[0-9]", "suffix and length"),
    "npm": Plugin("npm", "NpmDetector", rb":_authToken=", "a line of .npmrc"),
    "openai": Plugin("openai", "OpenAIDetector", rb"T3BlbkFJ", "infix"),
    "private_key": Plugin(
        "private_key", "PrivateKeyDetector", rb"BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-2", "header"
    ),
    "pypi": Plugin("pypi_token", "PypiTokenDetector", rb"pypi-AgE", "prefix"),
    "sendgrid": Plugin("sendgrid", "SendGridDetector", rb"SG\.[a-zA-Z0-9_-]{22}\.", "prefix and lengths"),
    "slack": Plugin("slack", "SlackDetector", rb"(?i:xox[abposr]-|hooks\.slack\.com/services/)", "prefix"),
    "square": Plugin("square_oauth", "SquareOAuthDetector", rb"sq0csp-", "prefix"),
    "stripe": Plugin("stripe", "StripeDetector", rb"[rs]k_live_", "prefix"),
    "telegram": Plugin(
        "telegram_token", "TelegramBotTokenDetector", rb"[0-9]{8,10}:[0-9A-Za-z_-]{35}", "number, colon and length"
    ),
    "twilio": Plugin("twilio", "TwilioKeyDetector", rb"(?:AC|SK)[a-z0-9]{32}", "prefix and length"),
}  # fmt: skip
# Kinds that detect-secrets 1.5 does not know; RE2 patterns.
OWN: Final = {
    "github": rb"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    "anthropic": rb"sk-ant-[a-z0-9]{3,8}-[A-Za-z0-9_-]{40,}",
    "google": rb"AIza[0-9A-Za-z_-]{35}",
    "huggingface": rb"hf_[A-Za-z0-9]{34}",
    "npm": rb"npm_[A-Za-z0-9]{36}",
}
_OURS: Final = "+"
_PLACEHOLDERS: Final = re.compile(
    r"(?i)(?:[<{$\[*].*|x+|\.+|pass(?:word|wd)?|pwd|secret|token|example|changeme|your[-_]?\w{0,40})\Z"
)
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_KEY_TEXT: Final = re.compile(rb"[A-Za-z0-9+/=\s\\:,.\"'-]*")
_KEY_END: Final = re.compile(rb"-{0,5}END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-{0,5}")


@cache
def _triggers() -> Any:
    return linear(b"|".join(b"(?:" + each + b")" for each in (*(p.trigger for p in PLUGINS.values()), *OWN.values())))


@cache
def _spans() -> Any:
    """Text that may be encoded, over the line ends that encoders put in. Hex is base64's alphabet too."""
    return linear(
        rb"[A-Za-z0-9+/_-]{24,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*={0,2}"
        rb"|(?:%[0-9A-Fa-f]{2}[A-Za-z0-9._~-]{0,80}){2,}"
    )


@cache
def detectors() -> dict[str, tuple[tuple[Any, ...], Callable[[str], Any] | None]]:
    """Name -> compiled patterns, and the plugin's own check of what they find."""
    found: dict[str, tuple[tuple[Any, ...], Callable[[str], Any] | None]] = {
        name + _OURS: ((linear(pattern),), None) for name, pattern in OWN.items()
    }
    for name, plugin in PLUGINS.items():
        made = getattr(importlib.import_module(f"detect_secrets.plugins.{plugin.module}"), plugin.type)()
        found[name] = (tuple(linear(_as_re2(each)) for each in made.denylist), made.analyze_string)
    return found


def _as_re2(pattern: re.Pattern[str]) -> bytes:
    """The same pattern for RE2. What that has not (a look-ahead at the end, more than 1000 repetitions) is left to the
    plugin's own check."""
    flags = "(?i)" if pattern.flags & re.IGNORECASE else ""
    return (flags + re.sub(r",\d{4,}\}", ",}", pattern.pattern.replace(r"(?!\w)", ""))).encode()


def find(raw: bytes, ignore: frozenset[str] = frozenset()) -> list[Hit]:
    """Keys in ``raw``, and in what it holds as base64, hex or percent-encoded. Raises ``TooMany``."""
    hits = list(_in(raw, ignore)) if _triggers().search(raw) else []
    pieces = _decoded(raw)
    if pieces:
        ends = list(accumulate(len(text) + 1 for _, _, _, text in pieces))
        blob = b"\n".join(text for _, _, _, text in pieces)
        if _triggers().search(blob):
            for hit in _in(blob, ignore):
                start, end, how, _ = pieces[bisect_right(ends, hit.start)]
                hits.append(Hit(hit.rule, hit.kind, start, end, how))
    return hits


def _in(raw: bytes, ignore: frozenset[str]) -> Iterator[Hit]:
    count = 0
    for name, (programs, check) in detectors().items():
        kind = name.removesuffix(_OURS)
        if kind in ignore:
            continue
        for program in programs:
            for match in program.finditer(raw):
                count += 1
                if count > MAX_HITS:
                    raise TooMany
                if place := _place(kind, raw, match.start(), match.end(), check):
                    yield Hit("OUT102", kind, *place)


def _place(kind: str, raw: bytes, start: int, end: int, check: Callable[[str], Any] | None) -> tuple[int, int] | None:
    """Where to redact, or None for what only looks like a key."""
    text = raw[start : min(end, start + _CONFIRMED_CHARACTERS)].decode("latin-1")
    found = [each for each in check(text) if isinstance(each, str)] if check is not None else [text]
    if not found:
        return None
    if kind == "private_key":
        return _key_block(raw, start, end)
    if kind == "basic_auth" and all(_PLACEHOLDERS.match(each) for each in found):
        return None
    if kind == "telegram" and re.fullmatch(r"[0-9a-f]*", text.partition(":")[2]):
        return None  # a time stamp and a hash
    return start, end


def _key_block(raw: bytes, start: int, end: int) -> tuple[int, int] | None:
    """From the header to the footer, or as far as it looks like a key. Nothing for a header that is only mentioned."""
    limit = min(len(raw), end + _KEY_BYTES)
    footer = _KEY_END.search(raw, end, limit)
    if footer is not None:
        last = footer.end()
    else:
        text = _KEY_TEXT.match(raw, end, limit)
        last = end if text is None else text.end()
    if len(re.sub(rb"[^A-Za-z0-9+/]", b"", raw[end:last])) < _KEY_BODY:
        return None
    return start - (len(raw[max(0, start - 5) : start]) - len(raw[max(0, start - 5) : start].rstrip(b"-"))), last


def _decoded(raw: bytes) -> list[tuple[int, int, str, bytes]]:
    """Start, end, encoding and content of the pieces of ``raw`` that can be decoded."""
    found: list[tuple[int, int, str, bytes]] = []
    for match in _spans().finditer(raw):
        for start, end in _pieces(match.group()):
            place = match.start() + start, match.start() + end
            found += ((*place, how, text) for how, text in _readings(raw[place[0] : place[1]]))
            if len(found) >= _MAX_PIECES:
                return found
    return found


def _pieces(span: bytes) -> Iterator[tuple[int, int]]:
    """Each line, and each run of lines that an encoder may have folded: all as long as the first, but for the last."""
    start = first = place = 0
    short, several = True, False
    for line in span.split(b"\n"):
        if short or len(line) > first:
            if several:
                yield start, place - 1
            start, first, several = place, len(line), False
        else:
            several = True
        short = len(line) < first
        yield place, place + len(line)
        place += len(line) + 1
    if several:
        yield start, len(span)


def _readings(span: bytes) -> Iterator[tuple[str, bytes]]:
    if b"%" in span:
        yield "percent-encoded", re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), span)
        return
    text = span.translate(_URL_SAFE, b"\r\n")
    body = text.rstrip(b"=")
    with suppress(binascii.Error):  # one character too many: not base64, or cut
        yield "base64", binascii.a2b_base64(body + b"=" * (-len(body) % 4))
    with suppress(ValueError):
        yield "hex", bytes.fromhex(body.decode())
