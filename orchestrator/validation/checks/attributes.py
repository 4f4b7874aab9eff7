"""Attributes written after a dot: dunders, frames and code, modules behind objects, private names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import cast

from orchestrator.validation import names, traits
from orchestrator.validation.checks.common import found
from orchestrator.validation.checks.formats import FORMATS, check_format
from orchestrator.validation.checks.identifiers import disguised_attribute, instance_dict
from orchestrator.validation.checks.modules import is_module, module_attribute, used_as_value
from orchestrator.validation.checks.naming import dunder_fix, getter_as_value, names_by_method
from orchestrator.validation.finding import Finding
from orchestrator.validation.scopes import Program, Visit


def check_attribute(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.Attribute, visit.node)
    bases = program.origins(node.value, visit.scope)
    yield from _attribute(visit, node, bases, program)
    if node.attr in FORMATS:
        yield from check_format(visit, node, program)
    if not isinstance(visit.parent, ast.Attribute):
        for base in sorted(bases):
            dotted = names.canonical(f"{base}.{node.attr}")
            yield found("ORC401", dotted, f"uses {dotted}", node, names.advice_for(dotted))
    yield from used_as_value(visit, node, program)
    yield from getter_as_value(visit, node, program)
    yield from disguised_attribute(node.attr, node, program)


def _attribute(visit: Visit, node: ast.Attribute, bases: frozenset[str], program: Program) -> Iterator[Finding]:
    name = node.attr
    if names.is_dunder(name):
        yield from _dunder(visit, node, bases, program)
    elif name in names.INTROSPECTION_ATTRIBUTES:
        yield found("ORC302", name, f"uses the attribute {name}", node)
    elif bases:
        for base in sorted(bases):
            yield from module_attribute(base, name, node)
    else:
        yield from _of_object(node)
    if name.startswith("_") and not any(is_module(base) for base in bases):
        yield from _private(node, program)


def _dunder(visit: Visit, node: ast.Attribute, bases: frozenset[str], program: Program) -> Iterator[Finding]:
    modules = [base for base in sorted(bases) if is_module(base)]
    stored = not isinstance(node.ctx, ast.Load) or _is_stored_into(visit.parent, node)
    if modules:
        if node.attr not in names.MODULE_DUNDERS:
            yield found("ORC105", f"{modules[0]}.{node.attr}", f"uses {node.attr} of the module {modules[0]}", node)
    elif node.attr == "__dict__" and not bases:
        yield from instance_dict(node.value, "__dict__", node, visit, program)
    elif stored and node.attr in names.NOT_ASSIGNABLE:
        yield found("ORC307", node.attr, f"assigns {node.attr}", node)
    elif node.attr in names.ATTRIBUTE_METHODS and _is_of_object(node.value, visit, program):
        yield from names_by_method(visit, node, program)
    elif not (_tells_what_type_tells(node, visit.parent) or _goes_to_traceback(node, visit, program)):
        yield found("ORC301", node.attr, f"uses the attribute {node.attr}", node, dunder_fix(node.attr))


def _is_stored_into(parent: ast.AST | None, node: ast.Attribute) -> bool:
    """``f.__annotations__["x"] = ...`` or ``.update(...)``."""
    if isinstance(parent, ast.Subscript):
        return parent.value is node and not isinstance(parent.ctx, ast.Load)
    return isinstance(parent, ast.Attribute) and parent.attr in ("update", "setdefault", "pop", "clear", "popitem")


def _tells_what_type_tells(node: ast.Attribute, parent: ast.AST | None) -> bool:
    """``self.__class__(...)``, ``x.__class__.__name__``, ``x.__class__ is y.__class__``: of a variable, the same as
    ``type(x)``. What leads on from a class is found by its own name."""
    if node.attr != "__class__" or not isinstance(node.ctx, ast.Load):
        return False
    if isinstance(parent, ast.Attribute):
        return parent.attr in _NAMES_OF_CLASSES or (_is_variable(node.value) and not parent.attr.startswith("_"))
    return isinstance(parent, ast.Compare) or (isinstance(parent, ast.Call) and _is_variable(node.value))


_NAMES_OF_CLASSES = frozenset({"__name__", "__qualname__", "__doc__", "__module__"})


def _is_variable(expression: ast.expr) -> bool:
    return isinstance(expression, ast.Name)


def _goes_to_traceback(node: ast.Attribute, visit: Visit, program: Program) -> bool:
    """``traceback.print_tb(error.__traceback__)`` and ``raise ... .with_traceback(error.__traceback__)``."""
    if node.attr != "__traceback__" or not isinstance(visit.parent, ast.Call):
        return False
    function = visit.parent.func
    if isinstance(function, ast.Attribute) and function.attr == "with_traceback":
        return True
    return any(origin.startswith("traceback.") for origin in program.origins(function, visit.scope))


def _is_of_object(value: ast.expr, visit: Visit, program: Program) -> bool:
    """``object.__setattr__`` or ``super().__setattr__``, which do what ``setattr`` does."""
    if isinstance(value, ast.Call):
        value = value.func
        return isinstance(value, ast.Name) and value.id == "super"
    return (
        isinstance(value, ast.Name) and value.id == "object" and program.reaches_builtins("object", visit.scope, value)
    )


def _of_object(node: ast.Attribute) -> Iterator[Finding]:
    of_itself = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
    if of_itself or not isinstance(node.ctx, ast.Load):
        return
    if node.attr in names.MODULES_BEHIND_OBJECTS:
        yield found("ORC303", node.attr, f"reads an attribute named like the module {node.attr}", node)
    elif node.attr in names.PROCESS_ATTRIBUTES:
        yield found("ORC403", node.attr, f"uses {node.attr}", node)


def _private(node: ast.Attribute, program: Program) -> Iterator[Finding]:
    """``Enum._convert_``: the inside of an object that the program did not make."""
    name = node.attr
    if names.is_dunder(name) or name in names.PRIVATE_BUT_PUBLIC or name in names.INTROSPECTION_ATTRIBUTES:
        return
    if isinstance(node.ctx, ast.Load) and name not in traits.of(program).own_attributes:
        yield found("ORC308", name, f"reads {name}, which no part of the program defines", node)
