"""Which names of a program are its own, and what the others stand for.

One iterative walk over the tree gives every node in document order with its scope and parent, and every scope its
bindings. Two questions are then answered:

* ``reaches_builtins(name)``: can this name, at this place, be the one of ``builtins``? In functions a bound name never
  is (Python raises instead). In modules and classes it is until a binding has *certainly* run: a statement that stands
  directly in the body and ends before the place in question. So ``if 0: eval = None`` hides nothing.
* ``origins(expression)``: which dotted names of modules can it be? Through imports, ``as`` and plain assignments. All
  bindings of a name count, whatever order they run in: the answer may be too wide, never too narrow.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.validation.names import canonical
from orchestrator.validation.source import parse_expression

Position = tuple[int, int]  # line, column as ast has them
ScopeKind = Literal["module", "class", "function", "comprehension"]  # a lambda is a function

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_GENERIC_BUILTINS = frozenset({"list", "dict", "tuple", "set", "frozenset", "type"})
# Their subscripts hold strings that are values: Literal["eval"] is no code. Only as imported from typing.
TYPING_FORMS = frozenset({"Literal", "Annotated"})
_TYPING_ORIGINS = frozenset(f"{module}.{form}" for module in ("typing", "typing_extensions") for form in TYPING_FORMS)
_STEPS = 300_000  # of following aliases, per program; an honest one needs a few per name


class Entangled(Exception):  # noqa: N818 - never leaves the scanner
    """The names of a program cannot be followed; the message says why."""


@dataclass(frozen=True, slots=True)
class Binding:
    dotted: str = ""  # what an import bound
    value: ast.expr | None = None  # what a plain assignment bound
    scope: Scope | None = None  # where ``value`` and ``source`` stand
    source: ast.expr | None = None  # what a loop or comprehension takes its values from
    is_class: bool = False
    is_function: bool = False


@dataclass(eq=False, slots=True)
class Scope:
    kind: ScopeKind
    parent: Scope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    certain: dict[str, Position] = field(default_factory=dict)  # name -> from where on it is surely bound
    ordered: bool = True  # what the body binds is there afterwards (a metaclass can prevent it)
    deleted: set[str] = field(default_factory=set)
    global_names: set[str] = field(default_factory=set)
    nonlocal_names: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Visit:
    """One node with its surroundings. ``direct``: it runs exactly once, in order, with its module or class body."""

    node: ast.AST
    scope: Scope
    parent: ast.AST | None
    direct: bool = False
    annotation: bool = False


def position(node: ast.AST) -> Position:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _end(node: ast.AST) -> Position:
    return getattr(node, "end_lineno", 0) or 0, getattr(node, "end_col_offset", 0) or 0


class Program:
    """A parsed program: its ``visits`` in document order, and the two answers of this module."""

    def __init__(self, tree: ast.Module) -> None:
        self.module = Scope("module", None)
        self.traits: object = None  # traits.py keeps its answers here
        self._origins: dict[tuple[Scope, str], frozenset[str]] = {}
        self._steps = 0
        self._nonlocals: list[tuple[Scope, str, Binding]] = []
        busy = [statement for statement in tree.body if not _is_inert(statement)]
        self._busy_starts = [position(statement) for statement in busy]
        self._busy_ends = [_end(statement) for statement in busy]
        self.visits = list(self._walk(tree))
        self._bind_nonlocals()
        self._by_kind: dict[str, list[Visit]] = {}
        for visit in self.visits:
            self._by_kind.setdefault(type(visit.node).__name__, []).append(visit)

    def of_kind(self, *kinds: str) -> Iterator[Visit]:
        """The visits to nodes of these classes, kind by kind."""
        for kind in kinds:
            yield from self._by_kind.get(kind, ())

    # -- building -----------------------------------------------------------------------------------------------

    def _walk(self, tree: ast.Module) -> Iterator[Visit]:
        stack = [Visit(tree, self.module, None)]
        while stack:
            visit = stack.pop()
            self._bind(visit)
            yield visit
            children = list(_children(visit))
            stack.extend(reversed(children))

    def _bind(self, visit: Visit) -> None:
        node, scope = visit.node, visit.scope
        if isinstance(node, ast.Global):
            scope.global_names.update(node.names)
        elif isinstance(node, ast.Nonlocal):
            scope.nonlocal_names.update(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del):
            self._forget(scope, node.id)
        else:
            for name, binding in _bindings_of(visit):
                self._add(visit, name, binding)
            if isinstance(node, ast.ExceptHandler) and node.name:
                self._forget(scope, node.name)  # deleted at the end of the handler

    def _forget(self, scope: Scope, name: str) -> None:
        (self.module if name in scope.global_names else scope).deleted.add(name)

    def _add(self, visit: Visit, name: str, binding: Binding) -> None:
        scope = visit.scope
        if name in scope.nonlocal_names:
            self._nonlocals.append((scope, name, binding))
            return
        home = self.module if name in scope.global_names else scope
        home.bindings.setdefault(name, []).append(binding)
        if name in TYPING_FORMS and binding.dotted not in _TYPING_ORIGINS:
            raise Entangled(f"binds {name}, a name of typing whose strings are not code, to something else")
        if visit.direct and home is scope and home.ordered and name not in home.certain:
            home.certain[name] = _bound_from(visit)

    def _bind_nonlocals(self) -> None:
        """A ``nonlocal`` belongs to the nearest function around that binds the name itself."""
        for scope, name, binding in self._nonlocals:
            home = scope.parent
            while home is not None and not (home.kind == "function" and name in home.bindings):
                home = home.parent
            (home or self.module).bindings.setdefault(name, []).append(binding)

    # -- answers ------------------------------------------------------------------------------------------------

    def reaches_builtins(self, name: str, scope: Scope, at: ast.AST) -> bool:
        """Whether ``name``, read at node ``at`` of ``scope``, can be the builtin of that name."""
        if name in scope.global_names:
            return not self._hides(self.module, name, at, own=scope is self.module)
        current: Scope | None = scope
        while current is not None:
            if (current is scope or current.kind != "class") and name in current.bindings:
                if current.kind in ("function", "comprehension"):
                    return False
                if self._hides(current, name, at, own=current is scope):
                    return False
            current = current.parent
        return True

    def _hides(self, scope: Scope, name: str, at: ast.AST, *, own: bool) -> bool:
        since = scope.certain.get(name)
        if since is None or name in scope.deleted:
            return False
        here = position(at)
        if since <= here:
            return True
        # Inside a function that stands before the binding: sure if nothing in between can have called it.
        following = bisect_right(self._busy_ends, here)
        calls = following < len(self._busy_ends) and self._busy_starts[following] < since
        return scope.kind == "module" and not own and not calls

    def origins(self, expression: ast.expr, scope: Scope) -> frozenset[str]:
        """The dotted module names that ``expression`` (a name or attribute chain) can stand for; often none."""
        name, suffix = _chain(expression)
        if name is None:
            return frozenset()
        found = self._origins_of_name(name, scope)
        return frozenset(canonical(origin + suffix) for origin in found) if found else found

    def _origins_of_name(self, name: str, scope: Scope) -> frozenset[str]:
        home = self._find(name, scope)
        if home is None:
            return frozenset()
        key = (home, name)
        if key not in self._origins:
            self._origins[key] = frozenset(self._follow(name, home))
        return self._origins[key]

    def _follow(self, name: str, home: Scope) -> set[str]:
        stack = [(name, home, "")]
        seen = {(home, name)}
        found: set[str] = set()
        while stack:
            name, home, suffix = stack.pop()
            for binding in home.bindings[name]:
                self._steps += 1
                if self._steps > _STEPS:
                    raise Entangled("has more aliases than can be followed")
                if binding.dotted:
                    found.add(binding.dotted + suffix)
                target, more = self._target(binding)
                if target is not None and target not in seen:
                    seen.add(target)
                    stack.append((target[1], target[0], more + suffix))
        return found

    def _target(self, binding: Binding) -> tuple[tuple[Scope, str] | None, str]:
        """The name that a plain assignment copies, where that name lives, and the attributes taken from it."""
        if binding.value is None or binding.scope is None:
            return None, ""
        name, attributes = _chain(binding.value)
        home = None if name is None else self._find(name, binding.scope)
        return (None if name is None or home is None else (home, name)), attributes

    def _find(self, name: str, scope: Scope) -> Scope | None:
        """The scope whose binding a read of ``name`` finds, if the program binds it at all."""
        if name in scope.global_names:
            return self.module if name in self.module.bindings else None
        current: Scope | None = scope
        while current is not None:
            if (current is scope or current.kind != "class") and name in current.bindings:
                return current
            current = current.parent
        return None

    def bindings(self, name: str, scope: Scope) -> list[Binding]:
        """All that ``name``, read in ``scope``, can have been bound by; none for names that are not the program's."""
        home = self._find(name, scope)
        return [] if home is None else home.bindings[name]

    def assigned(self, name: str, scope: Scope) -> tuple[ast.expr, Scope] | None:
        """The only expression that ``name`` is ever bound to, and where it stands; None when there is another way."""
        found = self.bindings(name, scope)
        if len(found) != 1 or found[0].value is None or found[0].scope is None:
            return None
        return found[0].value, found[0].scope

    def constants(self, expression: ast.expr, scope: Scope) -> tuple[str, ...] | None:
        """Every string that ``expression`` can be - a literal, a name bound to literals only, or one that loops over
        literals - or None."""
        if isinstance(expression, ast.IfExp):
            either = self.constants(expression.body, scope), self.constants(expression.orelse, scope)
            return None if None in either else (*(either[0] or ()), *(either[1] or ()))
        if isinstance(expression, ast.Constant):
            return (expression.value,) if isinstance(expression.value, str) else None
        if not isinstance(expression, ast.Name):
            return None
        texts: list[str] = []
        for binding in self.bindings(expression.id, scope):
            found = self._texts_of(binding)
            if found is None:
                return None
            texts += found
        return tuple(texts) or None

    def _texts_of(self, binding: Binding) -> list[str] | None:
        """The literals that one binding gives a name."""
        if isinstance(binding.value, ast.IfExp):
            return _literals([binding.value.body, binding.value.orelse])
        if binding.value is not None:
            return _literals([binding.value])
        source = binding.source
        if isinstance(source, ast.Name) and binding.scope is not None:
            found = self.assigned(source.id, binding.scope)
            source = None if found is None else found[0]
        return _literals(source.elts) if isinstance(source, ast.Tuple | ast.List | ast.Set) else None


def _literals(expressions: Iterable[ast.expr]) -> list[str] | None:
    values = [part.value if isinstance(part, ast.Constant) else None for part in expressions]
    return [value for value in values if isinstance(value, str)] if all(isinstance(v, str) for v in values) else None


def _chain(expression: ast.expr) -> tuple[str | None, str]:
    """``a.b.c`` -> ("a", ".b.c"); (None, "") for anything that does not start with a name."""
    attributes: list[str] = []
    while isinstance(expression, ast.Attribute):
        attributes.append(expression.attr)
        expression = expression.value
    if not isinstance(expression, ast.Name):
        return None, ""
    return expression.id, "".join("." + name for name in reversed(attributes))


def _bindings_of(visit: Visit) -> Iterator[tuple[str, Binding]]:
    node, parent = visit.node, visit.parent
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Store) and not _only_annotated(parent):
            yield node.id, Binding("", _assigned(node, parent), visit.scope, _looped(node, parent))
    elif isinstance(node, ast.alias):
        yield from _import_binding(node, parent)
    else:
        for name in bound_names(node):
            yield name, Binding(is_class=isinstance(node, ast.ClassDef), is_function=isinstance(node, _FUNCTIONS))


def _only_annotated(parent: ast.AST | None) -> bool:
    return isinstance(parent, ast.AnnAssign) and parent.value is None


def _assigned(name: ast.Name, parent: ast.AST | None) -> ast.expr | None:
    if isinstance(parent, ast.Assign) or (isinstance(parent, ast.AnnAssign | ast.NamedExpr) and parent.target is name):
        return parent.value
    return None


def _looped(name: ast.Name, parent: ast.AST | None) -> ast.expr | None:
    if isinstance(parent, ast.For | ast.comprehension) and parent.target is name:
        return parent.iter
    return None


def _import_binding(node: ast.alias, parent: ast.AST | None) -> Iterator[tuple[str, Binding]]:
    if node.name == "*":
        return
    if isinstance(parent, ast.ImportFrom):
        yield node.asname or node.name, Binding(dotted=f"{parent.module or ''}.{node.name}")
    elif node.asname:
        yield node.asname, Binding(dotted=node.name)
    else:
        root = node.name.partition(".")[0]
        yield root, Binding(dotted=root)


def bound_names(node: ast.AST) -> Iterator[str]:
    """Names that ``node`` binds without an ``ast.Name`` (imports excepted)."""
    if isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.MatchMapping):
        if node.rest:
            yield node.rest
    elif isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        if node.name:
            yield node.name
    elif type(node).__name__ in ("TypeVar", "ParamSpec", "TypeVarTuple"):  # Python 3.12 and later
        yield str(getattr(node, "name", ""))


def _bound_from(visit: Visit) -> Position:
    """From where on a certain binding holds: a plain function's own body may call itself."""
    node = visit.node
    if isinstance(node, _FUNCTIONS) and not node.decorator_list:
        return position(node.body[0])
    statement = node if isinstance(node, ast.stmt) else visit.parent
    return _end(statement) if statement is not None else (0, 0)


def _is_inert(statement: ast.stmt) -> bool:
    """Whether a statement of the module's body surely calls no function of the program."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return True
    if isinstance(statement, ast.Expr | ast.Assign):
        return isinstance(statement.value, ast.Constant)
    if not isinstance(statement, _FUNCTIONS) or statement.decorator_list:
        return False
    evaluated = [*_outer_parts_of_arguments(statement.args), *([statement.returns] if statement.returns else [])]
    return all(_is_plain(node) for part in evaluated for node in ast.walk(part))


def _is_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name) and node.value.id in _GENERIC_BUILTINS
    return isinstance(node, ast.Constant | ast.Name | ast.expr_context | ast.Tuple | ast.List)


def _outer_parts_of_arguments(arguments: ast.arguments) -> Iterator[ast.expr]:
    yield from arguments.defaults
    yield from (default for default in arguments.kw_defaults if default is not None)
    yield from (argument.annotation for argument in _all_arguments(arguments) if argument.annotation is not None)


def _all_arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None)


# -- where the children of a node live --------------------------------------------------------------------------


def _children(visit: Visit) -> Iterator[Visit]:
    node, scope = visit.node, visit.scope
    if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
        yield from _function_children(visit, node)
    elif isinstance(node, ast.ClassDef):
        yield from _class_children(visit, node)
    elif isinstance(node, _COMPREHENSIONS):
        yield from _comprehension_children(visit, node)
    elif isinstance(node, ast.NamedExpr):
        yield Visit(node.value, scope, node)
        yield Visit(node.target, _walrus_scope(scope), node)
    elif isinstance(node, ast.Constant):
        yield from _annotation_string(visit, node)
    elif not isinstance(node, ast.arg):  # its annotation lives in another scope: _function_children
        yield from _plain_children(visit)


def _plain_children(visit: Visit) -> Iterator[Visit]:
    node = visit.node
    direct = isinstance(node, ast.Module) or (
        visit.direct and isinstance(node, ast.Assign | ast.AnnAssign | ast.Import | ast.ImportFrom)
    )
    for name, value in ast.iter_fields(node):
        annotation = visit.annotation or name in ("annotation", "returns")
        if annotation and isinstance(node, ast.Subscript) and _is_typing_form(node.value):
            annotation = False  # its strings are values, not code
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, ast.AST):
                yield Visit(child, visit.scope, node, direct=direct, annotation=annotation)


def _is_typing_form(expression: ast.expr) -> bool:
    if isinstance(expression, ast.Attribute):
        return expression.attr in TYPING_FORMS and _chain(expression.value) == ("typing", "")
    return isinstance(expression, ast.Name) and expression.id in TYPING_FORMS


def _class_children(visit: Visit, node: ast.ClassDef) -> Iterator[Visit]:
    scope = visit.scope
    inner = Scope("class", scope, ordered=not (node.bases or node.keywords))
    for child in (*node.decorator_list, *node.bases, *node.keywords):
        yield Visit(child, scope, node)
    yield from _type_parameters(node, inner)
    yield from (Visit(child, inner, node, direct=True) for child in node.body)


def _function_children(visit: Visit, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Iterator[Visit]:
    scope, inner = visit.scope, Scope("function", visit.scope)
    arguments = node.args
    if not isinstance(node, ast.Lambda):
        yield from (Visit(child, scope, node) for child in node.decorator_list)
        yield from _type_parameters(node, inner)
        if node.returns is not None:
            yield Visit(node.returns, scope, node, annotation=True)
    for default in (*arguments.defaults, *arguments.kw_defaults):
        if default is not None:
            yield Visit(default, scope, arguments)
    for argument in _all_arguments(arguments):
        yield Visit(argument, inner, node)
        if argument.annotation is not None:
            yield Visit(argument.annotation, scope, argument, annotation=True)
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    yield from (Visit(child, inner, node) for child in body)


def _type_parameters(node: ast.AST, inner: Scope) -> Iterator[Visit]:
    yield from (Visit(child, inner, node) for child in getattr(node, "type_params", ()))


def _comprehension_children(
    visit: Visit, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
) -> Iterator[Visit]:
    inner = Scope("comprehension", visit.scope)
    first, *others = node.generators
    yield Visit(first.iter, visit.scope, first)
    yield Visit(first.target, inner, first)
    yield from (Visit(condition, inner, first) for condition in first.ifs)
    yield from (Visit(generator, inner, node) for generator in others)
    elements = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
    yield from (Visit(element, inner, node) for element in elements)


def _walrus_scope(scope: Scope) -> Scope:
    """Where ``:=`` binds: outside the comprehensions around it."""
    while scope.kind == "comprehension" and scope.parent is not None:
        scope = scope.parent
    return scope


def _annotation_string(visit: Visit, node: ast.Constant) -> Iterator[Visit]:
    """A string in an annotation is code to whoever evaluates annotations: its tree is examined too."""
    if not visit.annotation or not isinstance(node.value, str):
        return
    expression = parse_expression(node.value)
    if expression is None:
        return
    for part in ast.walk(expression):
        if isinstance(part, ast.expr):
            ast.copy_location(part, node)
    yield Visit(expression, visit.scope, node, annotation=True)
