"""The checks: a table from classes of syntax nodes to the functions that look at them.

A check takes one visit and the program around it and yields findings. To add a rule: describe it in rules.py, write a
check, enter it in ``CHECKS``. A node class that is neither in ``CHECKS`` nor in ``PLAIN`` is denied as unknown syntax;
a test holds the two against the ``ast`` module of the Python at hand.
"""

from __future__ import annotations

import ast
import string
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import cast

from orchestrator.validation import names
from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import make_finding
from orchestrator.validation.scopes import Program, Visit, bound_names

Check = Callable[[Visit, Program], Iterator[Finding]]

_FORMATS = frozenset({"format", "format_map"})


def _found(rule: str, subject: str, message: str, at: ast.AST, fix: str | None = None) -> Finding:
    line, column = getattr(at, "lineno", 0), getattr(at, "col_offset", -1) + 1
    return make_finding(rule, subject, message, line=line, column=column, fix=fix)


# -- imports ----------------------------------------------------------------------------------------------------


def check_import(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.Import, visit.node)
    for alias in node.names:
        yield _found("ORC101", alias.name, f"imports {alias.name}", alias, names.advice_for(alias.name))
        base, _, last = alias.name.rpartition(".")
        if base:
            yield from _private_parts(alias.name, alias)
            yield from _through_module(base, last, alias)


def check_import_from(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.ImportFrom, visit.node)
    if node.level:
        yield _found("ORC103", "." * node.level + (node.module or ""), "imports relative to a package", node)
        return
    module = node.module or ""
    if module == "__future__":
        return
    for alias in node.names:
        if alias.name == "*":
            yield _found("ORC101", module, f"imports {module}", node, names.advice_for(module))
            yield _found("ORC102", module, f"imports everything from {module} by *", node)
            continue
        dotted = f"{module}.{alias.name}"
        yield _found("ORC101", dotted, f"imports {alias.name} from {module}", alias, names.advice_for(dotted))
        yield from _private_parts(dotted, alias)
        yield from _through_module(module, alias.name, alias)


def _private_parts(dotted: str, at: ast.AST) -> Iterator[Finding]:
    private = [part for part in dotted.split(".")[1:] if part.startswith("_") and part not in names.MODULE_DUNDERS]
    if private:
        yield _found("ORC105", dotted, f"imports {dotted}: {private[0]} is private", at)


# -- names ------------------------------------------------------------------------------------------------------


def check_name(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.Name, visit.node)
    if names.is_dunder(node.id):
        yield from _dunder_name(visit, node, program)
        return
    reads = isinstance(node.ctx, ast.Load) or isinstance(visit.parent, ast.AugAssign)
    if reads and program.reaches_builtins(node.id, visit.scope, node):
        yield _found("ORC201", node.id, f"uses the builtin {node.id}", node, names.BUILTIN_ADVICE.get(node.id, ""))
        if node.id in names.ATTRIBUTE_BUILTINS and _literal_attribute(visit.parent, node) is None:
            yield _found("ORC202", node.id, f"{node.id} with a name that is not a literal", node)
    yield from _used_as_value(visit, node, program)
    yield from _getter_as_value(visit, node, program)


def _dunder_name(visit: Visit, node: ast.Name, program: Program) -> Iterator[Finding]:
    if node.id in names.PLAIN_DUNDER_NAMES:
        return
    if isinstance(node.ctx, ast.Load):
        if not program.reaches_builtins(node.id, visit.scope, node):
            return
    elif visit.scope.kind == "class":
        return
    yield _found("ORC203", node.id, f"uses the name {node.id}", node, names.BUILTIN_ADVICE.get(node.id))


def check_bound_names(visit: Visit, program: Program) -> Iterator[Finding]:
    """Functions, parameters and the like that take the name of an interpreter's own."""
    node = visit.node
    bound = [node.asname or ""] if isinstance(node, ast.alias) else list(bound_names(node))
    for name in bound:
        if names.is_dunder(name) and name not in names.PLAIN_DUNDER_NAMES and visit.scope.kind != "class":
            yield _found("ORC203", name, f"binds the name {name}", node)


def check_assignment(visit: Visit, program: Program) -> Iterator[Finding]:
    """``__match_args__`` names the attributes that a positional pattern reads."""
    node = cast("ast.Assign | ast.AnnAssign", visit.node)
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if not any(isinstance(target, ast.Name) and target.id == "__match_args__" for target in targets):
        return
    items = node.value.elts if isinstance(node.value, ast.Tuple | ast.List) else [node.value]
    for item in items:
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            yield from _attribute_by_name(item.value, item)
        else:
            yield _found("ORC202", "__match_args__", "__match_args__ with a name that is not a literal", node)


# -- attributes -------------------------------------------------------------------------------------------------


def check_attribute(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.Attribute, visit.node)
    bases = program.origins(node.value, visit.scope)
    yield from _attribute(visit, node, bases)
    if node.attr in _FORMATS:
        yield from _format(visit, node, program)
    if not (isinstance(visit.parent, ast.Attribute)):
        for base in sorted(bases):
            dotted = f"{base}.{node.attr}"
            yield _found("ORC401", dotted, f"uses {dotted}", node, names.advice_for(dotted))
    yield from _used_as_value(visit, node, program)
    yield from _getter_as_value(visit, node, program)


def _attribute(visit: Visit, node: ast.Attribute, bases: frozenset[str]) -> Iterator[Finding]:
    name = node.attr
    if names.is_dunder(name):
        yield from _dunder_attribute(visit, node, bases)
    elif name in names.INTROSPECTION_ATTRIBUTES:
        yield _found("ORC302", name, f"uses the attribute {name}", node)
    elif bases:
        for base in sorted(bases):
            yield from _module_attribute(base, name, node)
    else:
        yield from _object_attribute(node)


def _dunder_attribute(visit: Visit, node: ast.Attribute, bases: frozenset[str]) -> Iterator[Finding]:
    modules = [base for base in sorted(bases) if _is_module(base)]
    if modules:
        if node.attr not in names.MODULE_DUNDERS:
            yield _found("ORC105", f"{modules[0]}.{node.attr}", f"uses {node.attr} of the module {modules[0]}", node)
    elif not (node.attr == "__class__" and _only_names_its_class(visit.parent)):
        yield _found("ORC301", node.attr, f"uses the attribute {node.attr}", node, _dunder_fix(node.attr))


def _only_names_its_class(parent: ast.AST | None) -> bool:
    """``x.__class__.__name__`` and ``x.__class__ is y.__class__`` tell what type(x) tells."""
    if isinstance(parent, ast.Attribute):
        return parent.attr in ("__name__", "__qualname__")
    return isinstance(parent, ast.Compare)


def _dunder_fix(name: str) -> str:
    if name == "__class__":
        return "use type(value), isinstance(value, ...) or type(value).__name__"
    if name == "__dict__":
        return "use dataclasses.asdict, or name the attributes"
    return "use the operator, builtin or public method that stands for it"


def _module_attribute(base: str, name: str, at: ast.AST) -> Iterator[Finding]:
    if name.startswith("_") and _is_module(base):
        yield _found("ORC105", f"{base}.{name}", f"uses {base}.{name}: {name} is private to the module", at)
    yield from _through_module(base, name, at)


def _through_module(base: str, name: str, at: ast.AST) -> Iterator[Finding]:
    """A module that another one happens to import: ``statistics.sys``."""
    dotted = f"{base}.{name}"
    if dotted in names.STDLIB_SUBMODULES or dotted in names.STDLIB_NOT_MODULES:
        return
    known = names.STDLIB_MODULES if _is_standard_module(base) else names.MODULES_BEHIND_OBJECTS
    if name in known:
        fix = names.advice_for(name) or None
        yield _found("ORC104", dotted, f"reaches the module {name} through {base}", at, fix)


def _object_attribute(node: ast.Attribute) -> Iterator[Finding]:
    of_itself = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
    if of_itself or not isinstance(node.ctx, ast.Load):
        return
    if node.attr in names.MODULES_BEHIND_OBJECTS:
        yield _found("ORC303", node.attr, f"reads an attribute named like the module {node.attr}", node)
    elif node.attr in names.PROCESS_ATTRIBUTES:
        yield _found("ORC403", node.attr, f"uses {node.attr}", node)


def _attribute_by_name(name: str, at: ast.AST) -> Iterator[Finding]:
    """An attribute that a literal names: in getattr, attrgetter, a class pattern."""
    if names.is_dunder(name):
        yield _found("ORC301", name, f"names the attribute {name}", at, _dunder_fix(name))
    elif name in names.INTROSPECTION_ATTRIBUTES:
        yield _found("ORC302", name, f"names the attribute {name}", at)
    elif name in names.MODULES_BEHIND_OBJECTS:
        yield _found("ORC303", name, f"names an attribute like the module {name}", at)
    elif name in names.PROCESS_ATTRIBUTES:
        yield _found("ORC403", name, f"names {name}", at)


def check_match_class(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.MatchClass, visit.node)
    for name in node.kwd_attrs:
        yield from _attribute_by_name(name, node)


def _is_standard_module(dotted: str) -> bool:
    return dotted in names.STDLIB_MODULES or dotted in names.STDLIB_SUBMODULES


def _is_module(dotted: str) -> bool:
    """Surely a module: of the standard library, or the root of another package."""
    return _is_standard_module(dotted) or "." not in dotted


def _used_as_value(visit: Visit, node: ast.expr, program: Program) -> Iterator[Finding]:
    """A module anywhere but before a dot or in a plain assignment."""
    if not isinstance(getattr(node, "ctx", None), ast.Load) or isinstance(visit.parent, ast.Attribute):
        return
    if _follows_on(visit, node):
        return
    for origin in sorted(program.origins(node, visit.scope)):
        if _is_module(origin):
            yield _found("ORC402", origin, f"uses the module {origin} as a value", node)


def _follows_on(visit: Visit, node: ast.expr) -> bool:
    parent = visit.parent
    if isinstance(parent, ast.Assign) and visit.scope.kind != "class":
        return parent.value is node and all(isinstance(target, ast.Name) for target in parent.targets)
    if isinstance(parent, ast.Compare):  # `yaml is None`
        return True
    return isinstance(parent, ast.If | ast.IfExp | ast.Assert) and parent.test is node


# -- attributes named by strings --------------------------------------------------------------------------------


def check_call(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.Call, visit.node)
    function = node.func
    if isinstance(function, ast.Name) and function.id in names.ATTRIBUTE_BUILTINS:
        name = _literal_attribute(node, function)
        if name is not None and program.reaches_builtins(function.id, visit.scope, function):
            yield from _attribute_by_name(name, node)
    for getter in sorted(program.origins(function, visit.scope) & names.ATTRIBUTE_GETTERS):
        yield from _getter_call(getter, node)


def _getter_call(getter: str, node: ast.Call) -> Iterator[Finding]:
    for argument in node.args:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            for name in argument.value.split("."):
                yield from _attribute_by_name(name, node)
        else:
            yield _found("ORC202", getter, f"{getter} with a name that is not a literal", node)


def _literal_attribute(call: ast.AST | None, function: ast.Name) -> str | None:
    """The literal second argument of ``getattr(value, "name")``, or None."""
    if not isinstance(call, ast.Call) or call.func is not function or len(call.args) < 2:
        return None
    first, second, *_ = call.args
    literal = isinstance(second, ast.Constant) and isinstance(second.value, str)
    return second.value if literal and not isinstance(first, ast.Starred) else None  # type: ignore[attr-defined]


def _getter_as_value(visit: Visit, node: ast.expr, program: Program) -> Iterator[Finding]:
    parent = visit.parent
    if (isinstance(parent, ast.Call) and parent.func is node) or isinstance(parent, ast.Attribute | ast.Assign):
        return
    for origin in sorted(program.origins(node, visit.scope) & names.ATTRIBUTE_GETTERS):
        yield _found("ORC202", origin, f"hands {origin} on as a value", node)


def check_subscript(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.Subscript, visit.node)
    key = node.slice
    if isinstance(key, ast.Constant) and key.value in names.POWER_KEYS:
        yield _found("ORC204", str(key.value), f"uses the key {key.value!r}", node)


def _format(visit: Visit, node: ast.Attribute, program: Program) -> Iterator[Finding]:
    call = visit.parent if isinstance(visit.parent, ast.Call) and visit.parent.func is node else None
    if call is not None and not (call.args or call.keywords):
        return  # no values, no fields
    template: ast.expr | None = node.value
    if isinstance(template, ast.Name) and template.id == "str":  # str.format(template, ...)
        template = call.args[0] if call is not None and call.args else None
    texts = None if template is None else program.constants(template, visit.scope)
    if texts is None:
        if isinstance(template, ast.JoinedStr) and _makes_fields(template):
            yield _found("ORC304", node.attr, "builds a template for format from parts", node)
        else:
            yield _found("ORC305", node.attr, f"calls {node.attr} on a template that is not a literal", node)
        return
    for name in sorted({name for text in texts for name in _field_attributes(text)}):
        if names.is_dunder(name) or name in names.INTROSPECTION_ATTRIBUTES:
            yield _found("ORC304", name, f"a format field reads {name}", node)


def _makes_fields(template: ast.JoinedStr) -> bool:
    return any(isinstance(part, ast.Constant) and "{" in str(part.value) for part in template.values)


def _field_attributes(template: str) -> Iterator[str]:
    """Names that the fields of ``template`` read; fields inside a format spec included (they nest once)."""
    pending = [template]
    while pending:
        try:
            fields = [(name, spec) for _, name, spec, _ in string.Formatter().parse(pending.pop()) if name is not None]
        except ValueError:
            continue  # no valid template: format raises
        for name, spec in fields:
            yield from name.replace("[", ".").replace("]", ".").split(".")[1:]
            if spec:
                pending.append(spec)


# -- the tables -------------------------------------------------------------------------------------------------

CHECKS: MappingProxyType[str, tuple[Check, ...]] = MappingProxyType(
    {
        "Import": (check_import,),
        "ImportFrom": (check_import_from,),
        "alias": (check_bound_names,),
        "Name": (check_name,),
        "Attribute": (check_attribute,),
        "Call": (check_call,),
        "Subscript": (check_subscript,),
        "Assign": (check_assignment,),
        "AnnAssign": (check_assignment,),
        "MatchClass": (check_match_class,),
        "FunctionDef": (check_bound_names,),
        "AsyncFunctionDef": (check_bound_names,),
        "ClassDef": (check_bound_names,),
        "arg": (check_bound_names,),
        "ExceptHandler": (check_bound_names,),
        "MatchAs": (check_bound_names,),
        "MatchStar": (check_bound_names,),
        "MatchMapping": (check_bound_names,),
        "TypeVar": (check_bound_names,),
        "ParamSpec": (check_bound_names,),
        "TypeVarTuple": (check_bound_names,),
    }
)

# Node classes that mean nothing by themselves: what is in them is visited. By name, for 3.11 lacks some of them.
PLAIN = names.words(
    """
    Module Expr Constant Load Store Del Return Delete AugAssign For AsyncFor While If With AsyncWith Match Raise Try
    TryStar Assert Global Nonlocal Pass Break Continue BoolOp NamedExpr BinOp UnaryOp Lambda IfExp Dict Set ListComp
    SetComp DictComp GeneratorExp Await Yield YieldFrom Compare FormattedValue JoinedStr Starred List Tuple Slice
    And Or Add Sub Mult MatMult Div Mod Pow LShift RShift BitOr BitXor BitAnd FloorDiv Invert Not UAdd USub
    Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn comprehension arguments keyword withitem match_case MatchValue
    MatchSingleton MatchSequence MatchOr TypeAlias TemplateStr Interpolation
    """
)


def check(visit: Visit, program: Program) -> Iterator[Finding]:
    """All findings about one node."""
    kind = type(visit.node).__name__
    if kind in CHECKS:
        for one in CHECKS[kind]:
            yield from one(visit, program)
    elif kind not in PLAIN:
        yield _found("ORC005", kind, f"uses syntax of the kind {kind}", visit.node)
