"""The skill's namespace and the audit hook: what the policy denies while the code runs, what is counted, what is noted.

Depth, not the boundary: native code gets around all of it and meets the container. Three wrappers, each of which holds
alone (tests/security/test_wrappers.py takes the others off):

* ``guarded_builtins``: builtins without what the policy denies, and an import that knows the policy's list;
* ``install_audit_hook``: denies audit events, counts file opens, opens to write and connection attempts, and holds the
  run to how many files it may open and how many entries of the vault it may change.

In audit mode (``guards["audit"]``) what the policy's lists would deny is noted instead, once each and so many at most;
the run's own limits hold in either mode. Numbers and notes go into memory shared with the supervisor. A skill that
breaks out of Python can write to it: they are our word only as long as it does not.
"""

from __future__ import annotations

import builtins
import sys

from lean import os

TYPE_CHECKING = False  # typing costs time and memory in every sandbox; mypy knows the name
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from mmap import mmap
    from types import ModuleType
    from typing import Any

    Guards = dict[str, Any]

# The shared page: numbers of 8 bytes, then the notes.
OPENS, WRITE_OPENS, CONNECTIONS, NOTE_BYTES = range(4)
NOTES_AT = 64
MAX_NOTES, MAX_NOTE_CHARACTERS = 64, 200
LIBRARY = ("/usr/lib/python3.13/", "/opt/orchestrator/site/")
_ROOM = 16  # temporary files of a run that changes next to nothing
_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CONNECTIONS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"})


class Counters:
    """Numbers and notes shared with the supervisor through an anonymous mapping of one page."""

    def __init__(self, shared: mmap) -> None:
        self._numbers = memoryview(shared).cast("Q")
        self._page = memoryview(shared)
        self._noted: set[str] = set()

    def add(self, which: int) -> int:
        """Count one more; the number so far."""
        self._numbers[which] += 1
        return self._numbers[which]

    def note(self, kind: str, name: object) -> None:
        """Write ``kind name`` down, unless it is there already or there is no room left."""
        shown = name if type(name) is str else type(name).__name__
        text = f"{kind} {' '.join(shown[:MAX_NOTE_CHARACTERS].split())}"[:MAX_NOTE_CHARACTERS]
        if text in self._noted or len(self._noted) >= MAX_NOTES:
            return
        line = text.encode("utf-8", "replace") + b"\n"
        begin = NOTES_AT + self._numbers[NOTE_BYTES]
        if begin + len(line) > len(self._page):
            return
        self._noted.add(text)
        self._page[begin : begin + len(line)] = line
        self._numbers[NOTE_BYTES] += len(line)


def notes_in(page: memoryview) -> list[str]:
    """What ``Counters.note`` wrote, or whatever else is there now: bounded in number and length."""
    length = min(int.from_bytes(page[NOTE_BYTES * 8 : NOTE_BYTES * 8 + 8], sys.byteorder), len(page) - NOTES_AT)
    text = bytes(page[NOTES_AT : NOTES_AT + length]).decode("utf-8", "replace")
    return [line[:MAX_NOTE_CHARACTERS] for line in text.split("\n") if line][:MAX_NOTES]


def _covers(allowed: tuple[str, ...], name: str) -> bool:
    return any(name == entry or name.startswith(entry + ".") or entry.startswith(name + ".") for entry in allowed)


class _Noting(dict):  # type: ignore[type-arg] # it takes none at run time
    """Builtins that are denied, there all the same: asking for one is noted. (A wrapper around ``globals`` or ``exec``
    would work on the wrapper's frame, not on the skill's.)"""

    def __init__(self, allowed: dict[str, Any], denied: dict[str, Any], note: Callable[[str, object], None]) -> None:
        super().__init__(allowed)
        self._denied = denied
        self._note = note

    def __missing__(self, name: str) -> Any:
        value = self._denied[name]
        self._note("builtin", name)
        return value


def guarded_builtins(guards: Guards, counters: Counters) -> dict[str, Any]:
    """A copy of ``builtins`` without what the policy denies, and with an import that knows the policy's list."""
    namespace = dict(vars(builtins))
    denied = {name: namespace.pop(name) for name in guards["denied_builtins"] if name in namespace}
    audit, note = guards.get("audit", False), counters.note
    allowed, real_import = tuple(guards["imports"]), builtins.__import__

    def __import__(  # noqa: N807 - it stands in for the builtin of that name
        name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] = (), level: int = 0
    ) -> ModuleType:
        if level == 0 and not _covers(allowed, name):
            if not audit:
                raise ImportError(f"import of {name!r} is denied by the policy (guards.imports)", name=name)
            note("import", name)
        return real_import(name, globals, locals, fromlist, level)

    namespace["__import__"] = __import__
    denied.pop("__import__", None)
    return _Noting(namespace, denied, note) if audit else namespace


class Touched:
    """Entries of the vault that a run has changed so far, as far as audit events tell: for a denial that comes early
    and names the limit. The exact count is the host's, when the changes land.

    What was made and is gone again does not count, nor does what is named by descriptor. There is room for a temporary
    file beside each entry, so that no run is denied here which the host would let land (unless it spells one path in
    several ways).
    """

    def __init__(self, below: str, entries: int) -> None:
        self._below = below + "/"
        self._most = 2 * entries + _ROOM
        self._limit = entries
        self._paths: set[str] = set()

    def _path(self, path: object) -> str | None:
        if type(path) is bytes:
            path = path.decode("utf-8", "replace")
        if type(path) is not str:
            return None
        if not path.startswith("/"):
            path = f"{os.getcwd()}/{path}"
        return path if path.startswith(self._below) else None

    def changed(self, path: object) -> None:
        """Raises PermissionError at the first entry that is one too many."""
        found = self._path(path)
        if found is None or found in self._paths:
            return
        if len(self._paths) >= self._most:
            raise PermissionError(f"{self._most} entries of the vault changed already, limits.files is {self._limit}")
        self._paths.add(found)

    def gone(self, path: object) -> bool:
        """Whether it was one of those that had changed."""
        found = self._path(path)
        known = found in self._paths
        self._paths.discard(found or "")
        return known


def _follow(touched: Touched, event: str, arguments: tuple[Any, ...]) -> None:
    """Events that change entries. Those that name one by a directory's descriptor (-1: none) are left to the host."""
    if event in ("os.mkdir", "os.truncate"):
        touched.changed(arguments[0])
    elif event in ("os.remove", "os.rmdir"):
        if not touched.gone(arguments[0]):
            touched.changed(arguments[0])
    elif event == "os.rename":
        if not touched.gone(arguments[0]):
            touched.changed(arguments[0])
        touched.changed(arguments[1])


_CHANGES = frozenset({"os.mkdir", "os.truncate", "os.remove", "os.rmdir", "os.rename"})


def install_audit_hook(guards: Guards, counters: Counters) -> None:
    """Deny, count and note by CPython's audit events. A hook cannot be removed by Python code."""
    exact = frozenset(event for event in guards["denied_events"] if not event.endswith("."))
    prefixes = tuple(event for event in guards["denied_events"] if event.endswith("."))
    max_opens, audit = guards["max_opens"], guards.get("audit", False)
    quota = guards.get("quota")
    touched = None if quota is None else Touched(quota["below"], quota["entries"])
    add, note = counters.add, counters.note

    def opened(path: object, flags: object) -> None:
        if type(path) is str and path.startswith(LIBRARY) and "/../" not in path:
            return  # or the verdict would depend on how much was preloaded, that is, on how long we were idle
        if type(flags) is int and flags & _TO_WRITE:
            add(WRITE_OPENS)
            if touched is not None:
                touched.changed(path)
        if add(OPENS) > max_opens:
            if not audit:
                raise PermissionError(f"more than {max_opens} file opens: the policy's guards.max_opens")
            note("opens", str(max_opens))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            opened(arguments[0], arguments[2])
            return
        if event in _CONNECTIONS:
            add(CONNECTIONS)
        if touched is not None and event in _CHANGES:
            _follow(touched, event, arguments)
        if event in exact or event.startswith(prefixes):
            if not audit:
                raise PermissionError(f"{event} is denied by the policy (guards.denied_events)")
            note("event", event)

    sys.addaudithook(hook)
