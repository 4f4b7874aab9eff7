"""URLs in a text, and whether where they lead is inside: this machine, its network, a cloud's metadata.

By what is written, not by what a name resolves to: nothing is looked up. Addresses are read the way resolvers and
browsers read them, which is wider than RFC 3986: ``0177.1``, ``2130706433``, ``[::ffff:127.0.0.1]``, full-width digits,
``http:\\\\host``. Bounded: a text gives at most ``MAX_URLS``, each of at most 2,048 characters.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

MAX_URLS: Final = 2000
_MAX_HOST: Final = 255

# The scheme is at most 31 characters and what follows is matched once: linear.
_URL: Final = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{1,30}):[/\\]{1,4}([^\s<>\"'`|{}^]{0,2048})")
_NETWORK_PATH: Final = re.compile(r"\s*[/\\]{2}([^\s<>\"'`|{}^]{1,2048})")  # //host/path, as a whole text
_ACTIVE: Final = re.compile(
    r"\s*(javascript|vbscript|data|file|jar|gopher|dict|phar|blob|view-source):\S", re.IGNORECASE
)
_DOTS: Final = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]{0,16}|[0-9]{1,20}")

_INSIDE: Final = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "home.arpa")
# They resolve to an address that stands in the name, or to 127.0.0.1.
_REBINDING: Final = ("nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com", "1u.ms")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Url:
    """``hosts``: the one that RFC 3986 reads, and the one that browsers read where they differ; "" for none."""

    scheme: str
    hosts: tuple[str, ...]
    text: str
    credentials: bool


def urls_in(text: str) -> Iterator[Url]:
    """The URLs with ``//``, at most ``MAX_URLS``; and one without a host if the text begins with an active scheme."""
    active = _ACTIVE.match(text)
    if active is not None:
        yield Url(active[1].lower(), (), text[:80], credentials=False)
    network = _NETWORK_PATH.match(text)
    if network is not None:
        yield _url("", network[1], network[0])
    for count, match in enumerate(_URL.finditer(text)):
        if count >= MAX_URLS:
            return
        yield _url(match[1].lower(), match[2], match[0])


def too_many_urls(text: str) -> bool:
    """Whether ``urls_in`` left some out."""
    return text.count("//") + text.count("\\\\") > MAX_URLS and sum(1 for _ in _URL.finditer(text)) > MAX_URLS


def _url(scheme: str, rest: str, text: str) -> Url:
    strict = re.split(r"[/?#]", rest, maxsplit=1)[0]
    browsers = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    hosts = tuple(dict.fromkeys(_host(authority) for authority in (strict, browsers)))
    return Url(scheme, hosts, text, credentials="@" in strict and ":" in strict.rpartition("@")[0])


def _host(authority: str) -> str:
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if re.fullmatch(r".*:[0-9]*", host) else host


def why_inside(host: str, *, web: bool = True) -> str:
    """Why ``host`` leads inside, for a sentence that begins with it; "" if it does not. ``web``: the scheme is one
    whose hosts are looked up as they stand, so that a single label is a machine of the local network."""
    if len(host) > _MAX_HOST:
        return "is too long for a host"
    name = unicodedata.normalize("NFKC", unquote(host).translate(_DOTS)).translate(_DOTS).lower().rstrip(".")
    if not name:
        return "" if not host else "is no host"
    address = _address(name)
    if address is not None:
        return _why(address)
    if name.endswith(tuple("." + suffix for suffix in _REBINDING)) or name in _REBINDING:
        return "resolves to an address of its choice"
    if name in _INSIDE or name.endswith(tuple("." + suffix for suffix in _INSIDE)):
        return "is a name of this machine or its network"
    return "" if not web or "." in name or ":" in name else "is a name without a domain: one of the local network"


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        if ":" in name:
            return _unwrapped(ipaddress.IPv6Address(name.partition("%")[0]))
        number = _aton(name)
        return None if number is None else ipaddress.IPv4Address(number)
    except ValueError:
        return None


def _aton(name: str) -> int | None:
    """As C's ``inet_aton``: one to four parts, decimal, octal or hexadecimal; the last fills what is left."""
    parts = name.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    values = [_number(part) for part in parts]
    *leading, last = values
    if any(value > 255 for value in leading) or last >= 256 ** (5 - len(parts)):
        return None
    return sum(value << (24 - 8 * index) for index, value in enumerate(leading)) + last


def _number(part: str) -> int:
    if part[:2] in ("0x", "0X"):
        return int(part[2:] or "0", 16)
    octal = len(part) > 1 and part[0] == "0" and not set(part) & set("89")
    return int(part, 8 if octal else 10)


def _unwrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is not None:
        return inner
    number = int(address)
    embedded = address in _NAT64 or (number >> 32 == 0 and number > 1)
    return ipaddress.IPv4Address(number & 0xFFFFFFFF) if embedded else address


def _why(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if address.is_loopback or address.is_unspecified:
        return "is this machine"
    if address.is_link_local:
        return "is a link-local address, where clouds keep their metadata"
    if address.is_multicast:
        return "is a multicast address"
    return "" if address.is_global else "is an address of a private network"
