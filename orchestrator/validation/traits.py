"""What a program is like as a whole: facts that one node cannot tell, gathered in one pass over its visits.

They decide between two readings of the same expression. ``getattr(row, column)`` is ordinary where nothing in the
program spells a dangerous name; next to the string ``"__subclasses__"`` it is the other half of an evasion.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from orchestrator.validation import names
from orchestrator.validation.folding import DECODERS, UNKNOWN, Folder, operands_of
from orchestrator.validation.scopes import Program, Visit, bound_names

PATTERNS = 200  # regular expressions analysed per program; one has a handful

Node = TypeVar("Node", bound=ast.AST)

# Nodes that bind a name without an ast.Name.
_BINDERS = (
    "FunctionDef", "AsyncFunctionDef", "ClassDef", "arg", "ExceptHandler", "MatchAs", "MatchStar", "MatchMapping",
)  # fmt: skip

# A format field, or the end of one that began in another string, which reads a private or dunder attribute.
_FIELD_OF_POWER = re.compile(r"\{[^{}:!]{0,200}[.\[]_|__\}|__[.\[][^{}]{0,200}\}")


@dataclass(frozen=True, slots=True)
class Assembly:
    """A string that the program puts together from constants."""

    parts: tuple[ast.expr, ...]  # the outermost expression, or neighbours in a sum of which others are not known
    text: str  # what they amount to
    obscured: bool  # not by plain concatenation: decoded, reversed, character by character

    @property
    def constants(self) -> list[str]:
        """The strings that it is made of."""
        found = (part for each in self.parts for part in ast.walk(each) if isinstance(part, ast.Constant))
        return [part.value for part in found if isinstance(part.value, str)]


class Traits:
    """``of(program)`` gives the one instance of a program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.folder = Folder(program)
        self._patterns = 0

    def may_analyse_pattern(self) -> bool:
        """Counts: the analysis of a pattern can take milliseconds, and a program can hold thousands of them."""
        self._patterns += 1
        return self._patterns <= PATTERNS

    @cached_property
    def own_attributes(self) -> frozenset[str]:
        """Names that the program itself binds on its objects and classes, or spells out as a string or keyword."""
        found = {node.attr for node in self._nodes(ast.Attribute) if not isinstance(node.ctx, ast.Load)}
        found.update(node.arg or "" for node in self._nodes(ast.keyword))
        for text in self.constants:
            if text.startswith("_"):
                found.update(text.replace(",", " ").split()[:50])
        for visit in self.program.of_kind("Name", *_BINDERS):
            if visit.scope.kind == "class":
                node = visit.node
                found.update([node.id] if isinstance(node, ast.Name) else bound_names(node))
        return frozenset(found)

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """Every name that stands in the program, attributes included."""
        found = {node.id for node in self._nodes(ast.Name)}
        found.update(node.attr for node in self._nodes(ast.Attribute))
        for visit in self.program.of_kind(*_BINDERS):
            found.update(bound_names(visit.node))
        return frozenset(found)

    def _nodes(self, kind: type[Node]) -> Iterator[Node]:
        for visit in self.program.of_kind(kind.__name__):
            if isinstance(visit.node, kind):
                yield visit.node

    @cached_property
    def used_modules(self) -> frozenset[str]:
        """Modules of which the program names an attribute."""
        return frozenset(
            origin
            for visit in self.program.of_kind("Attribute")
            if isinstance(visit.node, ast.Attribute)
            for origin in self.program.origins(visit.node.value, visit.scope)
        )

    @cached_property
    def constants(self) -> tuple[str, ...]:
        """Every string constant of the program."""
        return tuple(node.value for node in self._nodes(ast.Constant) if isinstance(node.value, str))

    @cached_property
    def spells_power(self) -> bool:
        """A string of the program, written or put together, is a name that leads out of it."""
        if any(text in names.POWER_STRINGS for text in self.constants) or self._hands_on_class:
            return True
        return any(made.obscured or made.text in names.POWER_STRINGS for made in self.assemblies)

    @cached_property
    def _hands_on_class(self) -> bool:
        """``read(value, "__class__")``. As a key of data the word is ordinary: a tag in JSON."""
        for visit in self.program.of_kind("Constant"):
            node = visit.node
            if isinstance(node, ast.Constant) and node.value == "__class__" and isinstance(visit.parent, ast.Call):
                function = visit.parent.func
                if not (isinstance(function, ast.Attribute) and function.attr in names.KEY_TAKERS):
                    return True
        return False

    @cached_property
    def has_fields_of_power(self) -> bool:
        """A string of the program can be (a part of) a format template that reads what no program should."""
        texts = (*self.constants, *(made.text for made in self.assemblies))
        return any("_" in text and _FIELD_OF_POWER.search(text) for text in texts)

    @cached_property
    def assemblies(self) -> tuple[Assembly, ...]:
        """Strings put together from constants only; the outermost expression of each."""
        return tuple(self._assemblies())

    def _assemblies(self) -> Iterator[Assembly]:
        done: set[int] = set()
        for visit in self.program.visits:  # parents come before their children
            node = visit.node
            if not isinstance(node, _ASSEMBLERS) or id(node) in done or not _promises_text(node):
                continue
            for parts in self._foldable(node, visit, done):
                made = self._assembly(parts, visit)
                if made is not None:
                    done.update(id(inner) for part in parts for inner in ast.walk(part))
                    yield made

    def _foldable(self, node: ast.expr, visit: Visit, done: set[int]) -> Iterator[tuple[ast.expr, ...]]:
        """Of a sum the runs of operands that are known; anything else as a whole."""
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)):
            yield (node,)
            return
        chain: ast.expr = node
        while isinstance(chain, ast.BinOp) and isinstance(chain.op, ast.Add):
            done.add(id(chain))
            chain = chain.left
        run: list[ast.expr] = []
        for operand in (*operands_of(node), None):
            if operand is not None and self.folder.fold(operand, visit.scope) is not UNKNOWN:
                run.append(operand)
                continue
            if len(run) > 1:
                yield tuple(run)
            run = []

    def _assembly(self, parts: tuple[ast.expr, ...], visit: Visit) -> Assembly | None:
        values = [self.folder.fold(part, visit.scope) for part in parts]
        texts = [value.decode("latin-1") if isinstance(value, bytes) else value for value in values]
        if not all(isinstance(text, str) for text in texts):
            return None
        obscured = any(self.obscures(inner, visit) for part in parts for inner in ast.walk(part))
        return Assembly(parts, "".join(texts), obscured)

    def obscures(self, part: ast.AST, visit: Visit) -> bool:
        """Whether this operation hides what a string says: ``chr``, a decoder, a reversal, ``%c``."""
        if isinstance(part, ast.Subscript):
            return _is_reversal(part.slice)
        if isinstance(part, ast.BinOp):
            return isinstance(part.op, ast.BitXor)
        if isinstance(part, ast.Name):
            return part.id == "chr"
        if isinstance(part, ast.Attribute):
            return part.attr == "fromhex" or bool(self.program.origins(part, visit.scope) & DECODERS)
        return False


_ASSEMBLERS = (ast.BinOp, ast.JoinedStr, ast.Subscript, ast.Call)


def _promises_text(node: ast.AST) -> bool:
    """Cheap test before folding: which shapes can give text at all."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Mod | ast.Mult) and not isinstance(node.right, ast.Dict)
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Slice)
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    return isinstance(node, ast.Call) and bool(node.args)


def _is_reversal(key: ast.expr) -> bool:
    step = key.step if isinstance(key, ast.Slice) else None
    return isinstance(step, ast.UnaryOp) and isinstance(step.op, ast.USub)


def of(program: Program) -> Traits:
    """The traits of ``program``, gathered at the first question and kept with it."""
    if program.traits is None:
        program.traits = Traits(program)
    found = program.traits
    if not isinstance(found, Traits):  # nothing else is ever kept there
        raise TypeError(type(found).__name__)
    return found
