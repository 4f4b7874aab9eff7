"""Resource traps: constants that exceed any sandbox, and regular expressions that take for ever.

The container bounds what a run can use; these say so before the run, with the line. Only what constants alone decide is
found: a size that arrives as data is the run's business.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final, cast

from orchestrator.validation import traits
from orchestrator.validation.checks.common import found
from orchestrator.validation.finding import Finding
from orchestrator.validation.regexes import is_exponential
from orchestrator.validation.scopes import Program, Visit

# 4 million bits are 1.2 million digits; the largest ceiling of the shipped policies is 2 GB of memory and 300 s.
MAX_BITS: Final = 1 << 22
MAX_ITEMS: Final = 200_000_000  # elements of a list, characters of a string
MAX_FACTORIAL: Final = 1_000_000
MAX_WIDTH: Final = 10_000_000  # of a format field
_DIGITS = re.compile(r"\d{8}")
_SPEC = re.compile(r"\A.?[<>=^]?[-+ ]?#?0?(\d{8,})[_,]?(?:\.\d+)?[a-zA-Z%]?\Z")
_WIDTH = re.compile(r"(?:\{[^{}:]{0,40}:.?[<>=^]?|%[-+ #0]{0,3})(\d{8,})(?:\.\d+)?[sdifgexXoucrn}]")
_INTEGER_DEPTH = 20
_CAP = 1 << 62  # integers are followed up to here
_PATTERNS = frozenset(
    f"re.{name}" for name in ("compile", "match", "search", "fullmatch", "findall", "finditer", "sub", "subn", "split")
)
# The values of re's flags, by their names.
_FLAGS = {2: {"I", "IGNORECASE"}, 16: {"S", "DOTALL"}, 64: {"X", "VERBOSE"}}
_FILLERS = frozenset({"list", "tuple", "set", "frozenset", "sum", "sorted", "max", "min"})


def check_power(visit: Visit, program: Program) -> Iterator[Finding]:
    """``10 ** 10 ** 8``, ``1 << 10 ** 10``, ``[0] * 10 ** 12``."""
    node = cast(ast.BinOp, visit.node)
    if isinstance(node.op, ast.Pow | ast.LShift):
        inner = isinstance(visit.parent, ast.BinOp) and isinstance(visit.parent.op, ast.Pow | ast.LShift)
        if not inner and _bits(node) > MAX_BITS:
            yield found("ORC601", "number", f"a number of more than {MAX_BITS} bits", node)
    elif isinstance(node.op, ast.Mult):
        for side, count in ((node.left, node.right), (node.right, node.left)):
            length = _length(side)
            if length and _number(count) * length > MAX_ITEMS:
                yield found("ORC601", "sequence", f"a sequence of more than {MAX_ITEMS} elements", node)


def check_calls(visit: Visit, program: Program) -> Iterator[Finding]:
    node = cast(ast.Call, visit.node)
    function = node.func
    if isinstance(function, ast.Name):
        yield from _builtin_call(function.id, node)
    origins = program.origins(function, visit.scope)
    if "math.factorial" in origins and node.args and _number(node.args[0]) > MAX_FACTORIAL:
        yield found("ORC601", "number", f"the factorial of more than {MAX_FACTORIAL}", node)
    for origin in sorted(origins & _PATTERNS):
        yield from _pattern(origin, visit, node, program)


def _builtin_call(name: str, node: ast.Call) -> Iterator[Finding]:
    if not node.args:
        return
    first = node.args[0]
    if name == "pow" and len(node.args) == 2 and _power_bits(first, node.args[1]) > MAX_BITS:
        yield found("ORC601", "number", f"a number of more than {MAX_BITS} bits", node)
    elif name in ("bytes", "bytearray") and _number(first) > MAX_ITEMS:
        yield found("ORC601", "sequence", f"more than {MAX_ITEMS} bytes", node)
    elif name in _FILLERS and isinstance(first, ast.Call) and isinstance(first.func, ast.Name):
        counted = first.args[1:2] if len(first.args) > 1 else first.args[:1]
        if first.func.id == "range" and len(first.args) < 3 and any(_number(end) > MAX_ITEMS for end in counted):
            yield found("ORC601", "sequence", f"goes through a range of more than {MAX_ITEMS} numbers", node)


def _pattern(origin: str, visit: Visit, node: ast.Call, program: Program) -> Iterator[Finding]:
    given = [keyword.value for keyword in node.keywords if keyword.arg == "pattern"] or node.args[:1]
    texts = program.constants(given[0], visit.scope) if given else None
    flags = _flags(node)
    for text in texts or ():
        if not traits.of(program).may_analyse_pattern():
            return
        if is_exponential(text, flags, to_the_end=origin == "re.fullmatch"):
            yield found("ORC602", origin, f"the pattern {text!r} can take exponential time", node)


def _flags(node: ast.Call) -> int:
    """The flags that stand in the call, as far as they change what the pattern means."""
    given = (*node.args[1:], *(keyword.value for keyword in node.keywords))
    named = {part.attr for value in given for part in ast.walk(value) if isinstance(part, ast.Attribute)}
    return sum(value for value, spelled in _FLAGS.items() if named & spelled)


def check_widths(visit: Visit, program: Program) -> Iterator[Finding]:
    """``f"{x:>99999999999}"`` and the same as a template."""
    text = cast(ast.Constant, visit.node).value
    if not isinstance(text, str) or not _DIGITS.search(text):
        return
    in_spec = isinstance(visit.parent, ast.JoinedStr) and len(text) < 40
    for match in (_SPEC if in_spec else _WIDTH).finditer(text):
        digits = match.group(1)
        if len(digits) > len(str(MAX_WIDTH)) or int(digits) > MAX_WIDTH:
            yield found("ORC601", "width", f"a field more than {MAX_WIDTH} characters wide", visit.node)
            return


# -- what constants amount to -----------------------------------------------------------------------------------


def _number(expression: ast.expr, depth: int = 0) -> int:
    """The value of a constant integer expression, capped; 0 for anything else."""
    if isinstance(expression, ast.Constant):
        value = expression.value
        return min(value, _CAP) if isinstance(value, int) and not isinstance(value, bool) else 0
    if not isinstance(expression, ast.BinOp) or depth > _INTEGER_DEPTH:
        return 0
    left, right = _number(expression.left, depth + 1), _number(expression.right, depth + 1)
    match expression.op:
        case ast.Pow():
            value = _capped_power(left, right)
        case ast.LShift():
            value = left * _capped_power(2, right)
        case ast.Mult():
            value = left * right
        case ast.Add() if left and right:
            value = left + right
        case _:
            value = 0
    return min(value, _CAP)


def _capped_power(base: int, exponent: int) -> int:
    return _CAP if base > 1 and exponent * base.bit_length() > 2 * _CAP.bit_length() else min(base**exponent, _CAP)


def _bits(expression: ast.expr, depth: int = 0) -> int:
    """How many bits a constant integer expression has; 0 for anything else."""
    if isinstance(expression, ast.BinOp) and depth < _INTEGER_DEPTH:
        if isinstance(expression.op, ast.Pow):
            return _power_bits(expression.left, expression.right, depth)
        if isinstance(expression.op, ast.LShift):
            bits = _bits(expression.left, depth + 1)
            return bits + _number(expression.right) if bits else 0
    return _number(expression).bit_length()


def _power_bits(base: ast.expr, exponent: ast.expr, depth: int = 0) -> int:
    bits = _bits(base, depth + 1)
    return (bits - 1 or 1) * _number(exponent) if bits > 1 else 0


def _length(expression: ast.expr) -> int:
    """Elements of a literal sequence."""
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str | bytes):
        return len(expression.value)
    return len(expression.elts) if isinstance(expression, ast.List | ast.Tuple) else 0
