"""Modules: importing them, going through one to another, and passing them around."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import cast

from orchestrator.validation import names, traits
from orchestrator.validation.checks.common import found
from orchestrator.validation.finding import Finding
from orchestrator.validation.scopes import Program, Visit


def check_import(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.Import, visit.node)
    for alias in node.names:
        yield found("ORC101", alias.name, f"imports {alias.name}", alias, names.advice_for(alias.name))
        base, _, last = alias.name.rpartition(".")
        if base:
            yield from _private_parts(alias.name, alias)
            yield from through_module(base, last, alias)
        if visit.scope.kind == "class":
            yield _in_class(alias.name, alias)
        if alias.name in names.IMPORTED_FOR_PARTS and alias.name not in traits.of(program).used_modules:
            yield found("ORC106", alias.name, f"imports {alias.name} and uses nothing of it", alias)


def check_import_from(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.ImportFrom, visit.node)
    if node.level:
        yield found("ORC103", "." * node.level + (node.module or ""), "imports relative to a package", node)
        return
    module = node.module or ""
    if module == "__future__":
        return
    for alias in node.names:
        if alias.name == "*":
            yield found("ORC101", module, f"imports {module}", node, names.advice_for(module))
            yield found("ORC102", module, f"imports everything from {module} by *", node)
            continue
        dotted = f"{module}.{alias.name}"
        origin = names.canonical(dotted)
        yield found("ORC101", origin, f"imports {alias.name} from {module}", alias, names.advice_for(dotted))
        yield from _private_parts(dotted, alias)
        yield from through_module(module, alias.name, alias)
        if visit.scope.kind == "class" and is_standard_module(dotted):
            yield _in_class(dotted, alias)


def _in_class(module: str, at: ast.AST) -> Finding:
    message = f"imports {module} in a class body, which makes the module an attribute"
    return found("ORC402", module, message, at, "import it at the top of the program")


def _private_parts(dotted: str, at: ast.AST) -> Iterator[Finding]:
    private = [part for part in dotted.split(".")[1:] if part.startswith("_") and part not in names.MODULE_DUNDERS]
    if private:
        yield found("ORC105", dotted, f"imports {dotted}: {private[0]} is private", at)


def module_attribute(base: str, name: str, at: ast.AST) -> Iterator[Finding]:
    """An attribute of what is (or belongs to) a module."""
    if name.startswith("_") and is_module(base):
        yield found("ORC105", f"{base}.{name}", f"uses {base}.{name}: {name} is private to the module", at)
    yield from through_module(base, name, at)


def through_module(base: str, name: str, at: ast.AST) -> Iterator[Finding]:
    """A module that another one happens to import: ``statistics.sys``."""
    dotted = f"{base}.{name}"
    if dotted in names.STDLIB_SUBMODULES or dotted in names.STDLIB_NOT_MODULES:
        return
    if name in names.MODULES_BEHIND_OBJECTS or (is_standard_module(base) and name in names.STDLIB_MODULES):
        fix = names.advice_for(name) or None
        yield found("ORC104", dotted, f"reaches the module {name} through {base}", at, fix)


def is_standard_module(dotted: str) -> bool:
    return dotted in names.STDLIB_MODULES or dotted in names.STDLIB_SUBMODULES


def is_module(dotted: str) -> bool:
    """Surely a module: of the standard library, or the root of another package."""
    return is_standard_module(dotted) or "." not in dotted


def used_as_value(visit: Visit, node: ast.expr, program: Program) -> Iterator[Finding]:
    """A module anywhere but before a dot or in a plain assignment."""
    if not isinstance(getattr(node, "ctx", None), ast.Load) or isinstance(visit.parent, ast.Attribute):
        return
    if _follows_on(visit, node):
        return
    for origin in sorted(program.origins(node, visit.scope)):
        if is_module(origin):
            yield found("ORC402", origin, f"uses the module {origin} as a value", node)


def _follows_on(visit: Visit, node: ast.expr) -> bool:
    parent = visit.parent
    if isinstance(parent, ast.Assign) and visit.scope.kind != "class":
        return parent.value is node and all(isinstance(target, ast.Name) for target in parent.targets)
    if isinstance(parent, ast.Compare):  # `yaml is None`
        return True
    return isinstance(parent, ast.If | ast.IfExp | ast.Assert) and parent.test is node
