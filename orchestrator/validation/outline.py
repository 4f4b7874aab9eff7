"""``outline(program)``: what a program's code says about its manifest, as plain values that outlive the tree.

The entry points it offers and what they take; the modules it uses; the files it writes to, as far as their paths stand
in the code. contract.py holds these against a manifest. An outline depends on the code alone, so it is kept by the
code's digest and crosses from the scanner's process as JSON.

A path is followed through names, ``Path(...)``, ``/``, f-strings and ``+``, as far as it is literal. What cannot be
followed is reported as unknown, never guessed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeVar

from orchestrator.validation.paths import Known, known_path
from orchestrator.validation.scopes import Binding, Program, Visit

T = TypeVar("T")
Kind = Literal["positional", "either", "keyword", "args", "kwargs"]  # inspect's five, in short

_MOST: Final = 500  # uses and writes; those beyond add nothing a person would read
_FUNCTIONS: Final = 200  # further ones are kept by name only
_PARAMETERS: Final = 100  # of one function; one with more is kept by name only
_NAMES: Final = 5000  # a program with more names at its top level has no outline
_NAME_CHARACTERS: Final = 64  # a manifest's entrypoint has no more
_CHARACTERS: Final = 400  # of anything else; paths.py cuts there
_LAST_LINE: Final = 10**7
MAX_VALUES: Final = 200_000  # of JSON in an outline: at most 200 x 100 parameters of 4, and what else these figures say
_KINDS: Final[tuple[Kind, ...]] = ("positional", "either", "keyword", "args", "kwargs")

_WRITING_METHODS: Final = frozenset({"write_text", "write_bytes", "touch", "unlink", "rmdir"})
_METHODS_OF_PATHS: Final = frozenset({"rename", "replace"})  # str and others have them too
_TARGETS: Final = {  # writing functions of modules -> which argument they write to
    **dict.fromkeys(("shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.copytree"), (1,)),
    **dict.fromkeys(("shutil.move", "os.rename", "os.replace"), (0, 1)),
    **dict.fromkeys(("shutil.rmtree", "os.remove", "os.unlink", "os.rmdir", "os.truncate"), (0,)),
}
_OPENERS: Final = frozenset({"io.open", "codecs.open", "gzip.open", "bz2.open", "lzma.open"})
_LITERALS: Final = (ast.Constant, ast.JoinedStr, ast.Dict, ast.List, ast.Set, ast.Tuple, ast.ListComp, ast.DictComp)


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    kind: Kind
    required: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A function that a name of the module is certainly bound to, undecorated."""

    name: str
    line: int
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """``name`` is dotted: a module that is imported, or what is taken from it. Its first place."""

    line: int
    name: str


@dataclass(frozen=True, slots=True)
class Write:
    """``path`` is what is known of it from its start ("": nothing); ``whole``: that is all of it."""

    line: int
    what: str
    path: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Outline:
    """``read`` is False when there was no tree to look at: then nothing is known, and the rest is empty.

    ``names`` are the other names of the module, which may be functions for all that is known; ``values`` those that are
    certainly none. ``databases`` are ``sqlite3.connect`` and the like. ``vault_line`` is the first line with a literal
    that begins with the vault's place in the sandbox; 0: none.
    """

    read: bool = False
    functions: tuple[Function, ...] = ()
    names: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    writes: tuple[Write, ...] = ()
    databases: tuple[Write, ...] = ()
    vault_line: int = 0

    @property
    def size(self) -> int:
        """How many values it holds, roughly: its weight in a cache."""
        parts = (self.names, self.values, self.uses, self.writes, self.databases, self.functions)
        return sum(map(len, parts)) + sum(len(function.parameters) for function in self.functions)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: object) -> Outline:
        """The inverse of ``to_json``, also after JSON. Raises ``ValueError`` for anything that it does not make."""
        shape = {name: _SHAPES[name] for name in cls.__slots__}
        return cls(**{name: shape[name](value) for name, value in _members(document, tuple(shape)).items()})


# -- reading what may not be an outline -------------------------------------------------------------------------


def _members(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != set(names):
        raise ValueError(f"not an object of {', '.join(names)}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("not true or false")  # noqa: TRY004 - one exception for what is no outline
    return value


def _line(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _LAST_LINE:
        raise ValueError("not a line")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _CHARACTERS:
        raise ValueError("not a short text")
    return value


def _kind(value: object) -> Kind:
    for kind in _KINDS:
        if value == kind:
            return kind
    raise ValueError("not a kind of parameter")


def _tuple(value: object, read: Callable[[object], T], most: int) -> tuple[T, ...]:
    if not isinstance(value, list | tuple) or len(value) > most:
        raise ValueError(f"not an array of at most {most} items")
    return tuple(read(item) for item in value)


def _parameter_in(value: object) -> Parameter:
    part = _members(value, Parameter.__slots__)
    return Parameter(_text(part["name"]), _kind(part["kind"]), _flag(part["required"]))


def _function_in(value: object) -> Function:
    part = _members(value, Function.__slots__)
    parameters = _tuple(part["parameters"], _parameter_in, _PARAMETERS)
    return Function(_text(part["name"]), _line(part["line"]), parameters)


def _use_in(value: object) -> Use:
    part = _members(value, Use.__slots__)
    return Use(_line(part["line"]), _text(part["name"]))


def _write_in(value: object) -> Write:
    part = _members(value, Write.__slots__)
    return Write(_line(part["line"]), _text(part["what"]), _text(part["path"]), _flag(part["whole"]))


_SHAPES: Final[dict[str, Callable[[object], Any]]] = {
    "read": _flag,
    "functions": lambda value: _tuple(value, _function_in, _FUNCTIONS),
    "names": lambda value: _tuple(value, _text, _NAMES),
    "values": lambda value: _tuple(value, _text, _NAMES),
    "uses": lambda value: _tuple(value, _use_in, _MOST),
    "writes": lambda value: _tuple(value, _write_in, _MOST),
    "databases": lambda value: _tuple(value, _write_in, _MOST),
    "vault_line": _line,
}


# -- making one -------------------------------------------------------------------------------------------------


def outline(program: Program) -> Outline:
    """The outline of a parsed program. May raise what ``Program`` raises (``Entangled``)."""
    functions: dict[str, Function] = {}
    uses: dict[str, Use] = {}
    writes: list[Write] = []
    databases: list[Write] = []
    vault_line = 0
    for visit in program.visits:
        node = visit.node
        if visit.scope is program.module and (function := _function(visit)) is not None:
            functions[function.name] = function
        for use in _uses(visit, program):
            if len(uses) < _MOST and len(use.name) <= _CHARACTERS:
                uses.setdefault(use.name, use)
        if isinstance(node, ast.Call):
            _extend(writes, _writes(node, visit, program))
            _extend(databases, _databases(node, visit, program))
        if not vault_line and isinstance(node, ast.Constant) and _names_the_vault(node.value):
            vault_line = node.lineno
    sole = {name: found[0] for name, found in program.module.bindings.items() if len(found) == 1}
    certain = sole.keys() - program.module.deleted
    functions = {name: function for name, function in functions.items() if name in certain}
    values = [name for name in certain if _is_value(sole[name])]
    listed = sorted(functions.values(), key=lambda function: function.line)[:_FUNCTIONS]
    others = program.module.bindings.keys() - {function.name for function in listed} - set(values)
    if len(others) > _NAMES or len(values) > _NAMES:
        return Outline()
    return Outline(
        read=True,
        functions=tuple(listed),
        names=tuple(sorted(name for name in others if len(name) <= _NAME_CHARACTERS)),
        values=tuple(sorted(name for name in values if len(name) <= _NAME_CHARACTERS)),
        uses=tuple(uses.values()),
        writes=tuple(writes),
        databases=tuple(databases),
        vault_line=vault_line,
    )


def _extend(kept: list[Write], found: Iterator[Write]) -> None:
    for write in found:
        if len(kept) < _MOST:
            kept.append(write)


def _names_the_vault(value: object) -> bool:
    return isinstance(value, str) and (value == "/vault" or value.startswith("/vault/"))


def _is_value(binding: Binding) -> bool:
    return isinstance(binding.value, _LITERALS)


# -- entry points -----------------------------------------------------------------------------------------------


def _function(visit: Visit) -> Function | None:
    node = visit.node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return None if node.decorator_list else _named(node.name, node, node.args)
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda) and isinstance(node.targets[0], ast.Name):
        return _named(node.targets[0].id, node, node.value.args)
    return None


def _named(name: str, node: ast.stmt, arguments: ast.arguments) -> Function | None:
    parameters = _parameters(arguments)
    longest = max((len(parameter.name) for parameter in parameters), default=0)
    if len(name) > _NAME_CHARACTERS or len(parameters) > _PARAMETERS or longest > _CHARACTERS:
        return None
    return Function(name, node.lineno, parameters)


def _parameters(arguments: ast.arguments) -> tuple[Parameter, ...]:
    positional = [*arguments.posonlyargs, *arguments.args]
    first_default = len(positional) - len(arguments.defaults)
    found = [
        Parameter(a.arg, "positional" if index < len(arguments.posonlyargs) else "either", index < first_default)
        for index, a in enumerate(positional)
    ]
    if arguments.vararg is not None:
        found.append(Parameter(arguments.vararg.arg, "args", required=False))
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    found += [Parameter(a.arg, "keyword", default is None) for a, default in pairs]
    if arguments.kwarg is not None:
        found.append(Parameter(arguments.kwarg.arg, "kwargs", required=False))
    return tuple(found)


# -- modules ----------------------------------------------------------------------------------------------------


def _uses(visit: Visit, program: Program) -> Iterator[Use]:
    node = visit.node
    if isinstance(node, ast.Import):
        yield from (Use(node.lineno, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level and node.module not in (None, "__future__"):
        yield Use(node.lineno, str(node.module))
        yield from (Use(node.lineno, f"{node.module}.{alias.name}") for alias in node.names if alias.name != "*")
    elif isinstance(node, ast.Attribute) and not isinstance(visit.parent, ast.Attribute):
        yield from (Use(node.lineno, name) for name in sorted(program.origins(node, visit.scope)))


# -- files ------------------------------------------------------------------------------------------------------


def _writes(call: ast.Call, visit: Visit, program: Program) -> Iterator[Write]:
    function, scope = call.func, visit.scope
    origins = program.origins(function, scope)
    for origin in sorted(origins & _TARGETS.keys()):
        for index in _TARGETS[origin]:
            yield _write(call, origin, _argument(call, index), visit, program)
    if _opens(function, origins, visit, program):
        if _writes_by(_argument(call, 1, "mode"), visit, program):
            yield _write(call, "open for writing", _argument(call, 0, "file"), visit, program)
    elif isinstance(function, ast.Attribute) and not origins:
        yield from _writing_method(call, function, visit, program)


def _opens(function: ast.expr, origins: frozenset[str], visit: Visit, program: Program) -> bool:
    if isinstance(function, ast.Name) and function.id == "open":
        return program.reaches_builtins("open", visit.scope, function)
    return bool(origins & _OPENERS)


def _writing_method(call: ast.Call, function: ast.Attribute, visit: Visit, program: Program) -> Iterator[Write]:
    """On any object: its class is not known. Names that only paths have, or a receiver that is known to be one."""
    name, receiver = function.attr, function.value
    if name in _WRITING_METHODS:
        yield _write(call, f".{name}()", receiver, visit, program)
    elif name == "open" and _writes_by(_argument(call, 0, "mode"), visit, program):
        yield _write(call, ".open() for writing", receiver, visit, program)
    elif name in _METHODS_OF_PATHS:
        known = known_path(receiver, visit.scope, program)
        if known is not None and known.is_path:
            yield _made(call, f".{name}()", known)
            yield _write(call, f".{name}()", _argument(call, 0, "target"), visit, program)


def _writes_by(mode: ast.expr | None, visit: Visit, program: Program) -> bool:
    """Whether an open mode writes. One that is not literal is no evidence."""
    texts = None if mode is None else program.constants(mode, visit.scope)
    return any(letter in text for text in texts or () for letter in "wax+")


def _argument(call: ast.Call, index: int, keyword: str = "") -> ast.expr | None:
    if index < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args[: index + 1]):
        return call.args[index]
    return next((k.value for k in call.keywords if keyword and k.arg == keyword), None)


def _write(call: ast.Call, what: str, target: ast.expr | None, visit: Visit, program: Program) -> Write:
    return _made(call, what, None if target is None else known_path(target, visit.scope, program))


def _made(call: ast.Call, what: str, known: Known | None) -> Write:
    return Write(call.lineno, what, "" if known is None else known.text, known is not None and known.whole)


_CONNECT: Final = frozenset({"sqlite3.connect", "dbm.open", "dbm.dumb.open", "shelve.open", "duckdb.connect"})


def _databases(call: ast.Call, visit: Visit, program: Program) -> Iterator[Write]:
    for origin in sorted(program.origins(call.func, visit.scope) & _CONNECT):
        yield _write(call, origin, _argument(call, 0, "database"), visit, program)
