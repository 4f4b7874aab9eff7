"""Format templates: their fields read attributes, so a template that cannot be seen cannot be examined."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from typing import cast

from orchestrator.validation import names, traits
from orchestrator.validation.checks.common import found, literal
from orchestrator.validation.finding import Finding
from orchestrator.validation.scopes import Program, Visit

FORMATS = frozenset({"format", "format_map", "vformat"})
# Fields that give the name of something: '{0.__class__.__name__}' is a way to write a repr.
_NAMES_ONLY = frozenset({"__name__", "__qualname__", "__doc__", "__version__", "__module__"})
# Whose `style="{"` makes their template one of str.format.
_STYLED = frozenset({"logging.Formatter", "logging.basicConfig", "logging.StrFormatStyle"})


def check_format(visit: Visit, node: ast.Attribute, program: Program) -> Iterator[Finding]:
    call = visit.parent if isinstance(visit.parent, ast.Call) and visit.parent.func is node else None
    if call is not None and not (call.args or call.keywords):
        return  # no values, no fields
    template: ast.expr | None = node.value
    if node.attr == "vformat" or (isinstance(template, ast.Name) and template.id in ("str", "type")):
        # str.format(template, ...)
        template = call.args[0] if call is not None and call.args else None
    elif _formats_no_text(node.value):
        return
    yield from _template(template, visit, node, program)


def _formats_no_text(receiver: ast.expr) -> bool:
    """``date(...).format``-like calls of the program's own objects: ``self.format(...)`` is its own method."""
    return isinstance(receiver, ast.Name) and receiver.id in ("self", "cls")


def _template(template: ast.expr | None, visit: Visit, at: ast.Attribute, program: Program) -> Iterator[Finding]:
    whole = traits.of(program)
    texts = None if template is None else program.constants(template, visit.scope)
    if texts is None and template is not None:
        value = whole.folder.fold(template, visit.scope)
        texts = (value,) if isinstance(value, str) else None
    if texts is not None:
        yield from fields_of_power(texts, at)
    elif whole.has_fields_of_power:
        yield found("ORC304", at.attr, "a template that cannot be seen, and a string with a field of power", at)
    elif template is not None and _hides(template, visit, program):
        yield found("ORC304", at.attr, "builds a template for format from parts", at)
    else:
        yield found("ORC305", at.attr, f"calls {at.attr} on a template that is not a literal", at)


def _hides(template: ast.expr, visit: Visit, program: Program) -> bool:
    """A template made character by character or decoded, or with a part of a field's name put in."""
    whole = traits.of(program)
    for part in ast.walk(template):
        if whole.obscures(part, visit):
            return True
        if isinstance(part, ast.JoinedStr) and _puts_in_names(part):
            return True
    return False


def _puts_in_names(template: ast.JoinedStr) -> bool:
    """``f"{{0.{name}}}"``; not ``f"{{:<{width}}}"``, which puts in the part after the colon."""
    text = ""
    for part in template.values:
        piece = literal(part)
        if piece is not None:
            text += piece
            continue
        field = text[text.rfind("{") :] if text.rfind("{") > text.rfind("}") else ""
        if field and ":" not in field:
            return True
    return False


def fields_of_power(texts: tuple[str, ...], at: ast.AST) -> Iterator[Finding]:
    for name in sorted({name for text in texts for name in _field_attributes(text)} - _NAMES_ONLY):
        if names.is_dunder(name) or name in names.INTROSPECTION_ATTRIBUTES:
            yield found("ORC304", name, f"a format field reads {name}", at)


def _field_attributes(template: str) -> Iterator[str]:
    """Names that the fields of ``template`` read; fields inside a format spec included (they nest once)."""
    pending = [template]
    while pending:
        try:
            fields = [(name, spec) for _, name, spec, _ in string.Formatter().parse(pending.pop()) if name is not None]
        except ValueError:
            continue  # no valid template: format raises
        for name, spec in fields:
            path = name.replace("[", ".").replace("]", ".")
            yield from path.replace(".__class__.__name__", "").replace(".__class__.__qualname__", "").split(".")[1:]
            if spec:
                pending.append(spec)


def check_styled(visit: Visit, program: Program) -> Iterator[Finding]:
    """``logging.Formatter("{message}", style="{")`` formats like str.format, out of sight."""
    node = cast(ast.Call, visit.node)
    styles = [keyword.value for keyword in node.keywords if keyword.arg == "style"]
    if not (styles or len(node.args) >= 3) or not program.origins(node.func, visit.scope) & _STYLED:
        return
    for given in (*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg in ("format", "fmt"))):
        texts = program.constants(given, visit.scope)
        if texts is None:
            yield found("ORC305", "style", "gives logging a template that is not a literal", node)
        else:
            yield from fields_of_power(texts, node)
