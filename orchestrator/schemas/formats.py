"""The values of ``format`` that schemas may use, each a check that is linear in the text.

``jsonschema``'s own checkers do the work where they are strict; its ``email`` accepts any text with an @, so ours is
used instead, and several of its checkers let a final newline pass, so none of them sees a control character or a space.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from jsonschema import Draft202012Validator, FormatChecker

MAX_CHARACTERS: Final = 4096
_MAX_COMPONENT_BYTES: Final = 255  # NAME_MAX of every file system a vault lives on
_BLANK_OR_CONTROL: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]")
_NOT_IN_A_PATH: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def is_email(text: str) -> bool:
    """An address as RFC 5321 writes it, without quoted or non-ASCII local parts, with a host name after the @."""
    local, at, domain = text.rpartition("@")
    labels = domain.split(".")
    return (
        bool(at)
        and len(local) <= 64
        and len(domain) <= 253
        and bool(_LOCAL.fullmatch(local))
        and all(_LABEL.fullmatch(label) for label in labels)
    )


def is_vault_path(text: str) -> bool:
    """A relative POSIX path that stays below the vault in every spelling; "." is the vault itself.

    No empty, "." or ".." component, no leading or trailing slash, no backslash, no control or bidirectional character.
    """
    if not text or len(text) > MAX_CHARACTERS or _NOT_IN_A_PATH.search(text):
        return False
    return text == "." or all(_is_component(part) for part in text.split("/"))


def _is_component(part: str) -> bool:
    return part not in ("", ".", "..") and len(part.encode("utf-8", "surrogatepass")) <= _MAX_COMPONENT_BYTES


EXPECTED: Final = {
    "date": "a date like 2024-12-31",
    "date-time": "a date and time with an offset, like 2024-12-31T23:59:59Z (RFC 3339)",
    "duration": "a duration like P3DT4H (ISO 8601)",
    "email": "an e-mail address",
    "hostname": "a host name",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "time": "a time with an offset, like 23:59:59Z (RFC 3339)",
    "uri": "an absolute URI (RFC 3986)",
    "uri-reference": "a URI or relative reference (RFC 3986)",
    "uuid": "a UUID",
    "vault-path": 'a relative path below the vault, like Inbox/today.md, without ".." or a backslash',
}
"""Every format we know, and how to say it."""


def _theirs(name: str) -> Callable[[object], bool]:
    check, raises = Draft202012Validator.FORMAT_CHECKER.checkers[name]
    refused: tuple[type[Exception], ...] = raises if isinstance(raises, tuple) else (raises,)

    def conforms(text: object) -> bool:
        if not isinstance(text, str):
            return True  # ``format`` is about strings only
        if len(text) > MAX_CHARACTERS or _BLANK_OR_CONTROL.search(text):
            return False
        try:
            return bool(check(text))
        except refused:
            return False

    return conforms


def _ours(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda text: not isinstance(text, str) or check(text)


def _checker() -> FormatChecker:
    checker = FormatChecker(formats=())
    checks = {name: _theirs(name) for name in EXPECTED if name not in ("email", "vault-path")}
    for name, check in checks.items() | {"email": _ours(is_email), "vault-path": _ours(is_vault_path)}.items():
        checker.checks(name)(check)
    return checker


FORMAT_CHECKER: Final = _checker()
