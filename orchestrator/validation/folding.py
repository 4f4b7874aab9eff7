"""What a string expression amounts to, as far as its constants say: ``"__cla" + "ss__"``, ``bytes.fromhex(...)``.

A small evaluator of pure operations on constants, written out operation by operation: nothing of the program is ever
called. It knows what people use to keep a name out of sight - concatenation, join, slices, chr, replace, translate,
base64, hex, zlib, rot13, exclusive or - and gives up (``UNKNOWN``) at anything else. Work is bounded per program:
``STEPS`` evaluations, ``CHARS`` per value; a program that needs more raises ``Entangled``.
"""

from __future__ import annotations

import ast
import base64
import binascii
import codecs
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from orchestrator.validation.names import words
from orchestrator.validation.scopes import Entangled, Program, Scope

STEPS = 300_000  # evaluations per program: three for each node of the largest; honest programs need a few hundred
CHARS = 20_000  # of one value
ITEMS = 2_000  # of one sequence
DEPTH = 40
_NUMBER = 1 << 64  # numbers matter here only as characters

UNKNOWN: Final = object()
Value = Any  # str, bytes, int, list of these, or UNKNOWN

_PLAIN_METHODS = words(
    """
    lower upper strip lstrip rstrip swapcase title capitalize casefold replace removeprefix removesuffix hex split
    """
)
_DECODERS: dict[str, Callable[[Any], Any]] = {
    "base64.b64decode": base64.b64decode,
    "base64.standard_b64decode": base64.b64decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.b32decode": base64.b32decode,
    "base64.b16decode": base64.b16decode,
    "base64.b85decode": base64.b85decode,
    "base64.a85decode": base64.a85decode,
    "base64.decodebytes": base64.decodebytes,
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_hex": binascii.unhexlify,
    "binascii.a2b_base64": binascii.a2b_base64,
    "zlib.decompress": lambda data: zlib.decompressobj().decompress(data, CHARS),
}
_CODECS = frozenset({"utf-8", "utf8", "ascii", "latin-1", "latin1", "utf-16", "utf-32", "cp1252"})
_TEXT_CODECS = frozenset({"rot13", "rot_13", "rot-13", "hex", "base64"})
DECODERS = frozenset(_DECODERS) | {"codecs.decode", "codecs.encode"}


class Folder:
    """Folds expressions of one program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._steps = 0
        self._known: dict[int, Value] = {}  # by id of the expression, where no loop variable plays a part
        self._following: set[tuple[int, str]] = set()

    def fold(self, expression: ast.expr, scope: Scope) -> Value:
        """The constant that ``expression`` is, or ``UNKNOWN``. Raises ``Entangled`` when the program asks too much."""
        return self._value(expression, scope, {}, 0)

    def _value(self, node: ast.AST | None, scope: Scope, env: Mapping[str, Value], depth: int) -> Value:
        operation = _OPERATIONS.get(type(node))
        if operation is None or depth > DEPTH:
            return UNKNOWN
        if not env and id(node) in self._known:
            return self._known[id(node)]
        self._steps += 1
        if self._steps > STEPS:
            raise Entangled("assembles more text than can be followed")
        try:
            value = _bounded(operation(self, node, scope, env, depth + 1))
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, zlib.error):
            value = UNKNOWN  # it would raise in the program as well
        if not env:
            self._known[id(node)] = value
        return value

    def _constant(self, node: ast.Constant, scope: Scope, env: Mapping[str, Value], depth: int) -> Value:
        return node.value if isinstance(node.value, str | bytes | int) else UNKNOWN

    def _name(self, node: ast.Name, scope: Scope, env: Mapping[str, Value], depth: int) -> Value:
        if node.id in env:
            return env[node.id]
        found = self._program.assigned(node.id, scope)
        if found is None or (id(scope), node.id) in self._following:
            return UNKNOWN
        expression, home = found
        self._following.add((id(scope), node.id))
        try:
            return self._value(expression, home, {}, depth)
        finally:
            self._following.discard((id(scope), node.id))

    def _sequence(self, node: ast.List | ast.Tuple, scope: Scope, env: Mapping[str, Value], depth: int) -> Value:
        if len(node.elts) > ITEMS:
            return UNKNOWN
        items = []
        for element in node.elts:
            item = self._value(element, scope, env, depth)
            if item is UNKNOWN:
                return UNKNOWN
            items.append(item)
        return items

    def _binary(self, node: ast.BinOp, scope: Scope, env: Mapping[str, Value], depth: int) -> Value:
        if isinstance(node.op, ast.Add):
            return self._sum([self._value(operand, scope, env, depth) for operand in operands_of(node)])
        left = self._value(node.left, scope, env, depth)
        if left is UNKNOWN:
            return UNKNOWN
        right = self._value(node.right, scope, env, depth)
        return UNKNOWN if right is UNKNOWN else _calculate(node.op, left, right)

    def _sum(self, values: list[Value]) -> Value:
        if UNKNOWN in values:
            return UNKNOWN
        if isinstance(values[0], int):
            return sum(values)
        empty: Value = type(values[0])()
        if isinstance(empty, list):
            return [item for value in values for item in value]
        return empty.join(values)

    def _unary(self, node: ast.UnaryOp, scope: Scope, env: Mapping[str, Value], depth: int) -> Value:
        value = self._value(node.operand, scope, env, depth)
        return -value if isinstance(node.op, ast.USub) and isinstance(value, int) else UNKNOWN

    def _joined(self, node: ast.JoinedStr, scope: Scope, env: Mapping[str, Value], depth: int) -> Value:
        parts = []
        for part in node.values:
            value = self._value(part.value if isinstance(part, ast.FormattedValue) else part, scope, env, depth)
            if value is UNKNOWN:
                return UNKNOWN
            if isinstance(part, ast.FormattedValue):
                value = self._formatted(part, value, scope, env, depth)
            parts.append(str(value))
        return "".join(parts)

    def _formatted(
        self, part: ast.FormattedValue, value: Value, scope: Scope, env: Mapping[str, Value], depth: int
    ) -> Value:
        if part.format_spec is None:
            return value
        spec = self._value(part.format_spec, scope, env, depth)
        return chr(value) if spec == "c" else value  # f"{101:c}" is how a character is written without chr

    def _subscript(self, node: ast.Subscript, scope: Scope, env: Mapping[str, Value], depth: int) -> Value:
        value = self._value(node.value, scope, env, depth)
        if not isinstance(value, str | bytes | list):
            return UNKNOWN
        if not isinstance(node.slice, ast.Slice):
            index = self._value(node.slice, scope, env, depth)
            return value[index] if isinstance(index, int) else UNKNOWN
        ends = [
            None if end is None else self._value(end, scope, env, depth)
            for end in (node.slice.lower, node.slice.upper, node.slice.step)
        ]
        return UNKNOWN if any(end is UNKNOWN for end in ends) else value[slice(*ends)]

    def _comprehension(
        self, node: ast.ListComp | ast.GeneratorExp, scope: Scope, env: Mapping[str, Value], depth: int
    ) -> Value:
        generator = node.generators[0]
        if len(node.generators) != 1 or generator.ifs or not isinstance(generator.target, ast.Name):
            return UNKNOWN
        source = self._value(generator.iter, scope, env, depth)
        if not isinstance(source, str | bytes | list) or len(source) > ITEMS:
            return UNKNOWN
        items = []
        for item in source:
            made = self._value(node.elt, scope, {**env, generator.target.id: item}, depth)
            if made is UNKNOWN:
                return UNKNOWN
            items.append(made)
        return items

    def _call(self, node: ast.Call, scope: Scope, env: Mapping[str, Value], depth: int) -> Value:
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            return UNKNOWN
        function = node.func
        if isinstance(function, ast.Name) and function.id == "map" and len(node.args) == 2:
            return self._map(node, scope, env, depth)
        if isinstance(function, ast.Attribute):
            receiver = self._receiver(function, scope, env, depth)
            if receiver is not UNKNOWN:
                return _method(receiver, function.attr, self._arguments(node, scope, env, depth), node)
        name = self._function_name(function, scope)
        return UNKNOWN if not name else _apply(name, self._arguments(node, scope, env, depth))

    def _receiver(self, function: ast.Attribute, scope: Scope, env: Mapping[str, Value], depth: int) -> Value:
        worth = function.attr in _PLAIN_METHODS or function.attr in ("join", "decode", "encode", "format")
        return self._value(function.value, scope, env, depth) if worth else UNKNOWN

    def _arguments(self, node: ast.Call, scope: Scope, env: Mapping[str, Value], depth: int) -> list[Value]:
        return [self._value(argument, scope, env, depth) for argument in node.args]

    def _map(self, node: ast.Call, scope: Scope, env: Mapping[str, Value], depth: int) -> Value:
        name = self._function_name(node.args[0], scope)
        source = self._value(node.args[1], scope, env, depth)
        if not name or not isinstance(source, str | bytes | list) or len(source) > ITEMS:
            return UNKNOWN
        return [_apply(name, [item]) for item in source]

    def _function_name(self, function: ast.expr, scope: Scope) -> str:
        """The name of a builtin, a ``bytes.fromhex``, or a decoder of the standard library."""
        if isinstance(function, ast.Name) and function.id in _BUILTINS:
            return function.id
        if isinstance(function, ast.Attribute) and function.attr == "fromhex":
            return "fromhex"
        return next(iter(sorted(self._program.origins(function, scope) & DECODERS)), "")


_OPERATIONS: dict[type, Callable[..., Value]] = {
    ast.Constant: Folder._constant,
    ast.Name: Folder._name,
    ast.List: Folder._sequence,
    ast.Tuple: Folder._sequence,
    ast.BinOp: Folder._binary,
    ast.UnaryOp: Folder._unary,
    ast.JoinedStr: Folder._joined,
    ast.Subscript: Folder._subscript,
    ast.ListComp: Folder._comprehension,
    ast.GeneratorExp: Folder._comprehension,
    ast.Call: Folder._call,
}


def _bounded(value: Value) -> Value:
    if isinstance(value, str | bytes):
        return value if len(value) <= CHARS else UNKNOWN
    if isinstance(value, list):
        return value if len(value) <= ITEMS and UNKNOWN not in value else UNKNOWN
    return value if value is UNKNOWN or (isinstance(value, int) and -_NUMBER < value < _NUMBER) else UNKNOWN


def _calculate(operator: ast.operator, left: Value, right: Value) -> Value:
    numbers = isinstance(left, int) and isinstance(right, int)
    if isinstance(operator, ast.Mult):
        return _multiply(left, right)
    if isinstance(operator, ast.Mod):
        if isinstance(left, str):
            return _percent(left, right)
        return left % right if numbers else UNKNOWN
    small = {ast.Sub: int.__sub__, ast.BitXor: int.__xor__, ast.BitAnd: int.__and__, ast.BitOr: int.__or__,
             ast.FloorDiv: int.__floordiv__}  # fmt: skip
    calculate = small.get(type(operator))
    return calculate(left, right) if calculate and numbers else UNKNOWN


def _multiply(left: Value, right: Value) -> Value:
    times = left if isinstance(left, int) else right
    size = 1 if isinstance(left, int) and isinstance(right, int) else max(_size(left), _size(right)) * times
    return UNKNOWN if size > CHARS else left * right


def _size(value: Value) -> int:
    return len(value) if isinstance(value, str | bytes | list) else 1


def _percent(template: str, values: Value) -> Value:
    """``%`` with plain ``%s`` and ``%c`` fields only: no widths, which could make anything long."""
    items = values if isinstance(values, list) else [values]
    pieces = template.replace("%c", "%s").split("%s")
    if len(pieces) != len(items) + 1 or "%" in "".join(pieces):
        return UNKNOWN
    texts = [chr(item) if isinstance(item, int) and "%c" in template else str(item) for item in items]
    return "".join(piece + text for piece, text in zip(pieces, [*texts, ""], strict=True))


def _method(receiver: Value, name: str, arguments: list[Value], node: ast.Call) -> Value:
    if UNKNOWN in arguments or node.keywords or not isinstance(receiver, str | bytes):
        return UNKNOWN
    if name == "format":
        return _format(receiver, arguments)
    if name in ("decode", "encode"):
        return _recode(receiver, name, arguments)
    if name == "replace" and len(receiver) * (1 + _size(arguments[-1])) > CHARS * 4:
        return UNKNOWN
    return getattr(receiver, name)(*arguments)  # join or one of _PLAIN_METHODS, on str or bytes


def _format(template: Value, arguments: list[Value]) -> Value:
    """``"{}{}".format(...)`` with bare fields only."""
    if not isinstance(template, str) or template.count("{") != template.count("{}"):
        return UNKNOWN
    pieces = template.split("{}")
    if len(pieces) != len(arguments) + 1:
        return UNKNOWN
    return "".join(piece + str(text) for piece, text in zip(pieces, [*arguments, ""], strict=True))


def _recode(value: Value, direction: str, arguments: list[Value]) -> Value:
    codec = str(arguments[0]).lower() if arguments else "utf-8"
    if codec not in _CODECS or not isinstance(value, bytes if direction == "decode" else str):
        return UNKNOWN
    return value.decode(codec) if isinstance(value, bytes) else value.encode(codec)


def _apply(name: str, arguments: list[Value]) -> Value:
    if not arguments or UNKNOWN in arguments:
        return UNKNOWN
    first = arguments[0]
    if name in _DECODERS:
        return _DECODERS[name](first)
    if name in ("codecs.decode", "codecs.encode"):
        codec = str(arguments[1]).lower() if len(arguments) > 1 else "utf-8"
        known = codec in _TEXT_CODECS or (codec in _CODECS and isinstance(first, bytes))
        return codecs.decode(first, codec) if known else UNKNOWN
    if name == "fromhex":
        return bytes.fromhex(first)
    return _BUILTINS[name](*arguments) if len(arguments) <= 3 else UNKNOWN


def _range(*ends: int) -> list[int]:
    numbers = range(*ends)
    return list(numbers[: ITEMS + 1])


def _str(value: Value, *encoding: str) -> Value:
    if isinstance(value, bytes) and encoding:
        return _recode(value, "decode", list(encoding))
    return str(value) if isinstance(value, str | int) else UNKNOWN


def _bytes(value: Value, *encoding: str) -> Value:
    if isinstance(value, str) and encoding:
        return _recode(value, "encode", list(encoding))
    return bytes(value) if isinstance(value, list | bytes) else UNKNOWN


_BUILTINS: dict[str, Callable[..., Value]] = {
    "chr": chr,
    "ord": ord,
    "str": _str,
    "int": lambda value, base=10: int(value, base) if isinstance(value, str) and len(value) < 30 else value,
    "bytes": _bytes,
    "bytearray": _bytes,
    "list": list,
    "tuple": list,
    "reversed": lambda value: list(reversed(value)),
    "range": _range,
}


def operands_of(node: ast.BinOp) -> list[ast.expr]:
    """``a + b + c`` -> a, b, c: without recursion, for such chains are long."""
    operands: list[ast.expr] = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add):
        operands.append(left.right)
        left = left.left
    return [left, *reversed(operands)]
