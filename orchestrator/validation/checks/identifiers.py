"""Names: builtins by reference, the interpreter's own names, and names that pretend to be others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import cast

from orchestrator.validation import names, traits
from orchestrator.validation.characters import disguise_of, invisible_in_name, skeleton
from orchestrator.validation.checks.common import found, literal
from orchestrator.validation.checks.modules import used_as_value
from orchestrator.validation.checks.naming import attribute_by_name, getter_as_value, names_by_call
from orchestrator.validation.finding import Finding
from orchestrator.validation.scopes import Program, Visit, bound_names


def check_name(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.Name, visit.node)
    if names.is_dunder(node.id):
        yield from _dunder_name(visit, node, program)
        return
    reads = isinstance(node.ctx, ast.Load) or isinstance(visit.parent, ast.AugAssign)
    if reads and program.reaches_builtins(node.id, visit.scope, node):
        yield found("ORC201", node.id, f"uses the builtin {node.id}", node, names.BUILTIN_ADVICE.get(node.id, ""))
        if node.id in names.ATTRIBUTE_BUILTINS:
            yield from names_by_call(visit, node, program)
        elif node.id == "vars":
            yield from _vars(visit, node, program)
    yield from used_as_value(visit, node, program)
    yield from getter_as_value(visit, node, program)
    if not node.id.isascii():
        yield from _disguised(node.id, node, program)


def _dunder_name(visit: Visit, node: ast.Name, program: Program) -> Iterator[Finding]:
    if node.id in names.PLAIN_DUNDER_NAMES:
        return
    if isinstance(node.ctx, ast.Load):
        if not program.reaches_builtins(node.id, visit.scope, node):
            return
    elif visit.scope.kind == "class" and node.id not in names.CLASS_POWERS:
        return
    yield found("ORC203", node.id, f"uses the name {node.id}", node, names.BUILTIN_ADVICE.get(node.id))


def check_bound_names(visit: Visit, program: Program) -> Iterator[Finding]:
    """Functions, parameters and the like that take the name of an interpreter's own, or look like another name."""
    node = visit.node
    bound = [node.asname or ""] if isinstance(node, ast.alias) else list(bound_names(node))
    for name in bound:
        if names.is_dunder(name) and name not in names.PLAIN_DUNDER_NAMES:
            if visit.scope.kind != "class" or name in names.CLASS_POWERS - _METHODS:
                yield found("ORC203", name, f"binds the name {name}", node)
        elif not name.isascii():
            yield from _disguised(name, node, program)


# As functions of a class these are the program's own.
_METHODS = frozenset({"__subclasses__"})


def check_keyword(visit: Visit, program: Program) -> Iterator[Finding]:
    name = cast(ast.keyword, visit.node).arg
    if name is not None and not name.isascii():
        yield from _disguised(name, visit.node, program)


def disguised_attribute(name: str, at: ast.AST, program: Program) -> Iterator[Finding]:
    if not name.isascii():
        yield from _disguised(name, at, program)


def _disguised(name: str, at: ast.AST, program: Program) -> Iterator[Finding]:
    for character in invisible_in_name(name):
        yield found("ORC011", name, f"the name {name!r} holds U+{ord(character):04X}, which nobody sees", at)
        return
    plain = disguise_of(name) or skeleton(name)
    if not plain:
        return
    if disguise_of(name) or plain in names.WELL_KNOWN or plain in traits.of(program).identifiers:
        yield found("ORC009", name, f"the name {name} looks like {plain} and is another one", at)


def check_assignment(visit: Visit, program: Program) -> Iterator[Finding]:
    """``__match_args__`` and ``__slots__`` hold the names of attributes that others read."""
    node = cast("ast.Assign | ast.AnnAssign", visit.node)
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    bound = {target.id for target in targets if isinstance(target, ast.Name)}
    for name in sorted(bound & {"__match_args__", "__slots__"}):
        items = node.value.elts if isinstance(node.value, ast.Tuple | ast.List | ast.Set) else [node.value]
        for item in items:
            text = literal(item)
            if text is not None:
                yield from attribute_by_name(text, item or node)
            elif name == "__match_args__":
                yield found("ORC202", name, f"{name} with a name that is not a literal", node)


def _vars(visit: Visit, node: ast.Name, program: Program) -> Iterator[Finding]:
    call = visit.parent
    if not isinstance(call, ast.Call) or call.func is not node or len(call.args) != 1 or call.keywords:
        yield found("ORC205", "vars", "uses vars other than on one object", node)
        return
    yield from instance_dict(call.args[0], "vars", node, visit, program)


def instance_dict(value: ast.expr, what: str, at: ast.AST, visit: Visit, program: Program) -> Iterator[Finding]:
    """``value.__dict__``: of an instance in a program that has nothing to hide, or not."""
    if _is_instance(value, visit, program) and not traits.of(program).spells_power:
        yield found("ORC306", what, "reads an object's attributes as a dict", at)
    elif what == "vars":
        yield found("ORC205", what, "uses vars on what may be no instance of a class of the program", at)
    else:
        yield found("ORC301", what, f"uses the attribute {what}", at, "use dataclasses.asdict, or name the attributes")


def _is_instance(value: ast.expr, visit: Visit, program: Program) -> bool:
    """Likely an instance: a variable or parameter, something that hangs on one, or a class of the program, called."""
    root = value
    while isinstance(root, ast.Attribute | ast.Subscript):
        if isinstance(root, ast.Attribute) and root.attr.startswith("_"):
            return False
        root = root.value
    if isinstance(root, ast.Call):
        made_by = root.func.value if isinstance(root.func, ast.Attribute) else root.func
        name = made_by.id if isinstance(made_by, ast.Name) else ""
        return any(binding.is_class for binding in program.bindings(name, visit.scope))
    if not isinstance(root, ast.Name) or root.id == "cls" or program.reaches_builtins(root.id, visit.scope, root):
        return False
    return not any(b.dotted or b.is_class or b.is_function for b in program.bindings(root.id, visit.scope))
