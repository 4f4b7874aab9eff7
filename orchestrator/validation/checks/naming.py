"""Attributes and keys that strings name: getattr and its kin, operator, functools, class patterns, namespace dicts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from orchestrator.validation import names, traits
from orchestrator.validation.checks.common import found, literal
from orchestrator.validation.finding import Finding
from orchestrator.validation.folding import UNKNOWN
from orchestrator.validation.scopes import Program, Visit

_TAKE_NAMES = names.ATTRIBUTE_GETTERS | names.ATTRIBUTE_COPIERS.keys()
_WRITERS = frozenset({"setattr", "delattr", "__setattr__", "__delattr__"})
_BANNED = names.INTROSPECTION_ATTRIBUTES | names.MODULES_BEHIND_OBJECTS | names.PROCESS_ATTRIBUTES


def attribute_by_name(name: str, at: ast.AST) -> Iterator[Finding]:
    """An attribute that a literal names: in getattr, attrgetter, a class pattern."""
    if names.is_dunder(name):
        yield found("ORC301", name, f"names the attribute {name}", at, dunder_fix(name))
    elif name in names.INTROSPECTION_ATTRIBUTES:
        yield found("ORC302", name, f"names the attribute {name}", at)
    elif name in names.MODULES_BEHIND_OBJECTS:
        yield found("ORC303", name, f"names an attribute like the module {name}", at)
    elif name in names.PROCESS_ATTRIBUTES:
        yield found("ORC403", name, f"names {name}", at)


def dunder_fix(name: str) -> str:
    if name == "__class__":
        return "use type(value), isinstance(value, ...) or type(value).__name__"
    if name == "__dict__":
        return "use dataclasses.asdict, or name the attributes"
    return "use the operator, builtin or public method that stands for it"


def names_by_call(visit: Visit, function: ast.Name, program: Program) -> Iterator[Finding]:
    """getattr, setattr and delattr: by what name?"""
    call = visit.parent
    if not isinstance(call, ast.Call) or call.func is not function:
        yield found("ORC202", function.id, f"{function.id} is handed on, so its names cannot be seen", function)
        return
    if len(call.args) < 2 or any(isinstance(argument, ast.Starred) for argument in call.args[:2]):
        yield found("ORC202", function.id, f"{function.id} with a name that is not a literal", function)
        return
    yield from _named(Naming(function.id, call.args[0], call.args[1], call), visit, program)


def names_by_method(visit: Visit, method: ast.Attribute, program: Program) -> Iterator[Finding]:
    """``object.__setattr__(self, "x", 1)`` and ``super().__getattribute__(name)``."""
    call = visit.parent
    of_super = isinstance(method.value, ast.Call)
    if not isinstance(call, ast.Call) or call.func is not method or len(call.args) < (1 if of_super else 2):
        yield found("ORC301", method.attr, f"uses the attribute {method.attr}", method, dunder_fix(method.attr))
        return
    if any(isinstance(argument, ast.Starred) for argument in call.args[:2]):
        yield found("ORC202", method.attr, f"{method.attr} with a name that is not a literal", method)
        return
    receiver = ast.Name("self", ast.Load()) if of_super else call.args[0]
    yield from _named(Naming(method.attr, receiver, call.args[0 if of_super else 1], call), visit, program)


@dataclass(frozen=True, slots=True)
class Naming:
    """``function(receiver, named)``: a call that reads or writes an attribute by its name."""

    function: str
    receiver: ast.expr
    named: ast.expr
    call: ast.Call


def _named(naming: Naming, visit: Visit, program: Program) -> Iterator[Finding]:
    texts = _possible(naming.named, visit, program)
    if texts is not None:
        for text in texts:
            yield from attribute_by_name(text, naming.call)
            if naming.function not in ("getattr", "__getattribute__") and text in names.NOT_ASSIGNABLE:
                yield found("ORC307", text, f"assigns {text}", naming.call)
    elif not _cannot_be_banned(naming.named, visit, program):
        yield from _by_data(naming, visit, program)


def _possible(named: ast.expr, visit: Visit, program: Program) -> tuple[str, ...] | None:
    """All that a name can be, or None."""
    texts = program.constants(named, visit.scope)
    if texts is None:
        value = traits.of(program).folder.fold(named, visit.scope)
        return (value,) if isinstance(value, str) and value is not UNKNOWN else None
    return texts


def _cannot_be_banned(named: ast.expr, visit: Visit, program: Program) -> bool:
    """``f"visit_{kind}"``: however it goes on, no dunder and no banned name begins (or ends) like this."""
    first, last = _ends(named)
    if first and not first.startswith("_") and not any(name.startswith(first) for name in _BANNED):
        return True
    if last and not last.endswith("_") and not any(name.endswith(last) for name in _BANNED):
        return True
    return _is_field_name(named, visit, program)


def _ends(named: ast.expr) -> tuple[str, str]:
    """The literal text that a string begins and ends with."""
    if isinstance(named, ast.JoinedStr) and named.values:
        return literal(named.values[0]) or "", literal(named.values[-1]) or ""
    if isinstance(named, ast.BinOp) and isinstance(named.op, ast.Add):
        return _ends(named.left)[0] or literal(named.left) or "", _ends(named.right)[1] or literal(named.right) or ""
    return "", ""


def _is_field_name(named: ast.expr, visit: Visit, program: Program) -> bool:
    """``f.name for f in dataclasses.fields(x)``: names that a class statement of the program spells."""
    if not isinstance(named, ast.Attribute) or named.attr != "name" or not isinstance(named.value, ast.Name):
        return False
    bindings = program.bindings(named.value.id, visit.scope)
    return bool(bindings) and all(
        isinstance(b.source, ast.Call)
        and b.scope is not None
        and "dataclasses.fields" in program.origins(b.source.func, b.scope)
        for b in bindings
    )


def _by_data(naming: Naming, visit: Visit, program: Program) -> Iterator[Finding]:
    """A name that arrives as data. Ordinary on an object of the program, if nothing in it spells a dangerous name."""
    receiver = naming.receiver
    of_self = isinstance(receiver, ast.Name) and receiver.id == "self"
    on_object = isinstance(receiver, ast.Name | ast.Attribute | ast.Subscript)
    if isinstance(receiver, ast.Name) and not of_self:
        on_object = not program.reaches_builtins(receiver.id, visit.scope, receiver)
    if not (on_object and _is_plain_data(naming.named, visit, program)):
        message = f"{naming.function} with a name that is not a literal"
        yield found("ORC202", naming.function, message, naming.call)
    elif not (of_self and naming.function in _WRITERS):  # an object that fills itself from data hands nothing out
        yield found("ORC206", naming.function, f"{naming.function} with a name that is data", naming.call)


def _is_plain_data(named: ast.expr, visit: Visit, program: Program) -> bool:
    plain = isinstance(named, ast.Name | ast.Attribute | ast.Subscript)
    return plain and not traits.of(program).spells_power and not _is_built(named, visit, program)


def _is_built(named: ast.expr, visit: Visit, program: Program) -> bool:
    """A variable that holds a string which the program puts together."""
    if not isinstance(named, ast.Name):
        return False
    return any(
        isinstance(binding.value, ast.BinOp | ast.JoinedStr | ast.Call)
        for binding in program.bindings(named.id, visit.scope)
    )


def check_call(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.Call, visit.node)
    origins = program.origins(node.func, visit.scope)
    for getter in sorted(origins & names.ATTRIBUTE_GETTERS):
        yield from _getter_call(getter, node, visit, program)
    for copier in sorted(origins & names.ATTRIBUTE_COPIERS.keys()):
        yield from _copied_names(copier, node, visit, program)
    if "dataclasses.make_dataclass" in origins:
        for part in ast.walk(node):
            yield from attribute_by_name(literal(part) or "", node)
    called = node.func.attr if isinstance(node.func, ast.Attribute) else next(iter(origins), "").rpartition(".")[2]
    if called in names.KEY_TAKERS:
        yield from _power_keys(node.args, node)


def _getter_call(getter: str, node: ast.Call, visit: Visit, program: Program) -> Iterator[Finding]:
    for argument in node.args:
        given = argument.value if isinstance(argument, ast.Starred) else argument
        texts = None if given is not argument else _possible(given, visit, program)
        if texts is None:
            rule = "ORC206" if _is_plain_data(given, visit, program) else "ORC202"
            yield found(rule, getter, f"{getter} with a name that is not a literal", node)
            continue
        for text in texts:
            for name in text.split("."):
                yield from attribute_by_name(name, node)


def _copied_names(copier: str, node: ast.Call, visit: Visit, program: Program) -> Iterator[Finding]:
    """functools.wraps(f, assigned=...): copies whatever attributes it is told to."""
    for index, keyword in names.ATTRIBUTE_COPIERS[copier]:
        given = [k.value for k in node.keywords if k.arg == keyword] or list(node.args[index : index + 1])
        for value in given:
            items = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
            for item in items:
                if any(origin.startswith("functools.WRAPPER_") for origin in program.origins(item, visit.scope)):
                    continue
                texts = _possible(item, visit, program)
                if texts is None:
                    yield found("ORC202", copier, f"{copier} with {keyword} names that are not literals", node)
                for text in texts or ():
                    yield from attribute_by_name(text, node)
    if any(keyword.arg is None for keyword in node.keywords):
        yield found("ORC202", copier, f"{copier} with arguments that cannot be seen", node)


def getter_as_value(visit: Visit, node: ast.expr, program: Program) -> Iterator[Finding]:
    """attrgetter and its kin anywhere but called or plainly assigned: what they are called with cannot be seen."""
    parent = visit.parent
    if (isinstance(parent, ast.Call) and parent.func is node) or isinstance(parent, ast.Attribute | ast.Assign):
        return
    for origin in sorted(program.origins(node, visit.scope) & _TAKE_NAMES):
        yield found("ORC202", origin, f"hands {origin} on as a value", node)


def check_match_class(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.MatchClass, visit.node)
    for name in node.kwd_attrs:
        yield from attribute_by_name(name, node)


def check_match_mapping(visit: Visit, program: Program) -> Iterator[Finding]:
    yield from _power_keys(cast(ast.MatchMapping, visit.node).keys, visit.node)


def check_subscript(visit: Visit, program: Program) -> Iterator[Finding]:
    yield from _power_keys([cast(ast.Subscript, visit.node).slice], visit.node)


def _power_keys(keys: list[ast.expr], at: ast.AST) -> Iterator[Finding]:
    for key in keys:
        text = literal(key)
        if text in names.POWER_KEYS:
            yield found("ORC204", str(text), f"uses the key {text!r}", at)
