"""``judge(skill, outline)``: the code held against its manifest, both as they stand.

Can the entry point be called with what ``inputs_schema`` lets through? Does the code use something that the manifest
does not ask for, or cannot? What is certain to fail is a finding of a rule that denies; what may fail, of one that
warns (see rules.py for each). Nothing is said where the outline does not know: a decorated function, a schema made of
alternatives, a path that is computed.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Final

from orchestrator.manifest.model import SkillManifest
from orchestrator.text import one_line
from orchestrator.validation.finding import Finding
from orchestrator.validation.names import prefixes
from orchestrator.validation.outline import Function, Outline, Write
from orchestrator.validation.rules import make_finding

_VAULT: Final = "/vault"
_SHOWN: Final = 8  # findings of one kind: the next ones say the same
# They can require or forbid names in ways that are not followed here.
_COMBINATORS: Final = frozenset(
    {"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentRequired",
     "dependentSchemas", "minProperties", "unevaluatedProperties", "enum", "const"}
)  # fmt: skip

# What opens connections. Named with all that is beneath it; http.HTTPStatus and urllib.parse are no network.
NETWORK: Final = frozenset(
    {
        "socket", "socketserver", "ssl", "http.client", "http.server", "urllib.request", "ftplib", "smtplib", "imaplib",
        "poplib", "telnetlib", "nntplib", "xmlrpc", "asyncio.open_connection", "asyncio.start_server",
        "asyncio.open_unix_connection", "asyncio.start_unix_server", "webbrowser",
        "requests", "httpx", "aiohttp", "urllib3", "websockets", "websocket", "paramiko", "pycurl", "grpc", "boto3",
        "psycopg", "psycopg2", "asyncpg", "pymysql", "MySQLdb", "mysql", "pymongo", "redis", "openai", "anthropic",
    }
)  # fmt: skip


def judge(skill: SkillManifest, outline: Outline) -> tuple[Finding, ...]:
    """What does not fit. Empty for an outline of code that could not be read: that is denied by itself."""
    if not outline.read:
        return ()
    found = (*_entrypoint(skill, outline), *_network(outline), *_databases(skill, outline), *_vault(skill, outline))
    return tuple(replace(finding, column=1 if finding.line else 0) for finding in found)


# -- the entry point --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of inputs. ``sure``: every run has them; ``known``: those the schema names; ``closed``: there are no
    others; ``exact``: what is not in ``sure`` may really be missing. Without a schema nothing is exact or closed."""

    sure: frozenset[str]
    known: frozenset[str]
    closed: bool
    exact: bool


def _names(skill: SkillManifest) -> _Names:
    schema: Mapping[str, Any] = skill.inputs_schema or {}
    known = frozenset(schema.get("properties", ()))
    sure = frozenset(skill.inputs) | frozenset(schema.get("required", ()))
    closed = schema.get("additionalProperties") is False and not schema.get("patternProperties")
    exact = skill.inputs_schema is not None and not _COMBINATORS & schema.keys()
    return _Names(sure, known, closed, exact)


def _entrypoint(skill: SkillManifest, outline: Outline) -> Iterator[Finding]:
    name = skill.entrypoint
    if name is None:
        return
    function = next((found for found in outline.functions if found.name == name), None)
    if function is not None:
        yield from _parameters(function, _names(skill))
    elif name not in outline.names:
        yield _missing(name, outline)


def _missing(name: str, outline: Outline) -> Finding:
    if name in outline.values:
        message = f"the manifest's entrypoint is '{name}', which the code binds to a value, not to a function"
        return make_finding("ORC801", name, message)
    defined = [function.name for function in outline.functions]
    close = get_close_matches(name, defined, 1)
    there = f"did you mean '{close[0]}'?" if close else f"it defines: {_listed(defined) or 'no function'}"
    message = f"the manifest's entrypoint is '{name}', which the code does not define at its top level; {there}"
    public = [function for function in defined if not function.startswith("_")]
    better = f'name "{public[0]}" as the entrypoint' if len(public) == 1 else "name one of its functions"
    fix = f'define {name}, or {better} in the manifest, or "entrypoint": null for a script'
    return make_finding("ORC801", name, message, fix=fix)


def _parameters(function: Function, names: _Names) -> Iterator[Finding]:
    by_name = {p.name: p for p in function.parameters if p.kind in ("either", "keyword")}
    for parameter in function.parameters:
        if parameter.required and parameter.kind == "positional":
            message = f"{_signature(function)} takes '{parameter.name}' by position only; inputs are given by name"
            yield make_finding("ORC802", parameter.name, message, line=function.line)
    yield from _not_given(function, by_name.keys(), names)
    if not any(parameter.kind == "kwargs" for parameter in function.parameters):
        yield from _not_taken(function, by_name.keys(), names)


def _not_given(function: Function, by_name: Any, names: _Names) -> Iterator[Finding]:
    """Parameters that need a value which no input, or not every run's inputs, has."""
    missing = [p.name for p in function.parameters if p.required and p.name in by_name and p.name not in names.sure]
    for name in missing[:_SHOWN]:
        never = names.closed and name not in names.known
        if never:
            close = get_close_matches(name, sorted(names.known - by_name), 1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; it has: {_listed(names.known) or 'nothing'}"
            message = (
                f"entrypoint {_signature(function)} requires '{name}', inputs_schema does not let it through{hint}"
            )
            fix = f'add "{name}" to the properties of inputs_schema and to its required, or give {name} a default'
            yield make_finding("ORC803", name, message, line=function.line, fix=fix)
        elif names.exact:
            message = f"entrypoint {_signature(function)} requires '{name}', inputs_schema does not"
            fix = f'add "{name}" to "required" in inputs_schema, or to the default inputs, or give {name} a default'
            yield make_finding("ORC804", name, message, line=function.line, fix=fix)


def _not_taken(function: Function, by_name: Any, names: _Names) -> Iterator[Finding]:
    """Inputs that no parameter takes: Python refuses the call."""
    takes = f"it takes: {_listed(by_name) or 'nothing by name'}"
    for name in sorted(names.sure - by_name)[:_SHOWN]:
        close = get_close_matches(name, sorted(by_name - names.sure), 1)
        hint = f"did you mean '{close[0]}'?" if close else takes
        message = f"every run gives the input '{name}', entrypoint {_signature(function)} does not take it; {hint}"
        yield make_finding("ORC805", name, message, line=function.line, fix=_take(function, name))
    for name in sorted(names.known - names.sure - by_name)[:_SHOWN]:
        message = f"inputs_schema allows '{name}', entrypoint {_signature(function)} does not take it; {takes}"
        yield make_finding("ORC806", name, message, line=function.line, fix=_take(function, name))


def _take(function: Function, name: str) -> str:
    shown = one_line(name, 64)
    return f"add a parameter {shown} to {function.name} (or **kwargs), or remove {shown} from the manifest's inputs"


def _signature(function: Function) -> str:
    marks = {"args": "*", "kwargs": "**"}
    shown = [
        marks.get(p.kind, "") + p.name + ("" if p.required or p.kind in marks else "=...") for p in function.parameters
    ]
    more = [] if len(shown) <= _SHOWN else ["..."]
    return f"{function.name}({', '.join(shown[:_SHOWN] + more)})"


def _listed(names: Any) -> str:
    shown = sorted(names)
    return ", ".join(one_line(name, 40) for name in shown[:_SHOWN]) + (", ..." if len(shown) > _SHOWN else "")


# -- what the manifest does not ask for -------------------------------------------------------------------------


def _network(outline: Outline) -> Iterator[Finding]:
    told: set[str] = set()
    for use in outline.uses:
        module = next((prefix for prefix in prefixes(use.name) if prefix in NETWORK), None)
        if module is not None and module not in told and len(told) < _SHOWN:
            told.add(module)
            message = f"{use.name} opens connections; the sandbox has no network, and no manifest can ask for one"
            yield make_finding("ORC811", module, message, line=use.line)


def _databases(skill: SkillManifest, outline: Outline) -> Iterator[Finding]:
    for database in outline.databases[:_SHOWN]:
        path = _settled(database)
        if path is not None and (path in ("", ":memory:") or _is_below(path, "/tmp")):  # noqa: S108 - the sandbox's
            continue
        if path is not None and _is_below(path, _VAULT):
            yield from _outside(skill, database, path)
        elif not skill.vault.write:
            where = f"'{path}'" if path is not None else "a path that is computed"
            message = f"{database.what} opens a database at {where}, and the manifest asks for no directory to write"
            yield make_finding("ORC812", database.what, message, line=database.line)


def _vault(skill: SkillManifest, outline: Outline) -> Iterator[Finding]:
    unknown: list[Write] = []
    shown = 0
    for write in outline.writes:
        path = _settled(write)
        if path is None:
            unknown.append(write)
        elif _is_below(path, _VAULT) and shown < _SHOWN:
            for finding in _outside(skill, write, path):
                shown += 1
                yield finding
    if unknown and outline.vault_line and not skill.vault.write:
        first = unknown[0]
        message = (
            f"{first.what} may write to the vault (the code names it in line {outline.vault_line}), "
            "and the manifest asks for no directory to write"
        )
        yield make_finding("ORC814", first.what, message, line=first.line)


def _outside(skill: SkillManifest, write: Write, path: str) -> Iterator[Finding]:
    """A finding if ``path``, or all that can follow it, lies in no granted directory."""
    granted = [_VAULT if directory == "." else f"{_VAULT}/{directory}" for directory in skill.vault.write]
    if any(_is_below(path, root) or (not write.whole and root.startswith(path)) for root in granted):
        return
    grants = ", ".join(f'"{directory}"' for directory in skill.vault.write[:_SHOWN]) or "nothing"
    message = (
        f"{write.what} '{path}{'' if write.whole else '...'}' is in the vault; the manifest asks to write {grants}"
    )
    below = path.rpartition("/")[0].removeprefix(_VAULT).strip("/") or "."
    fix = f'add "{below}" to vault.write in the manifest; or write below /tmp, or return the text as the output'
    yield make_finding("ORC813", write.what, message, line=write.line, fix=fix)


def _settled(write: Write) -> str | None:
    """The path, or the directory it surely begins with; None where ``..`` or nothing known leaves it open."""
    path = write.path
    if write.whole:
        return path if path in ("", ":memory:") else posixpath.normpath(path)
    return path if path.startswith("/") and ".." not in path else None


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root + "/")
