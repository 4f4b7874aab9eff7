"""JSON Schema's keywords as we evaluate them: ``jsonschema``'s validator with the dangerous parts replaced.

What is replaced, and why:

* Every keyword is charged to a budget of work units, so that nested ``anyOf`` (whose cost is exponential) or a large
  document end in ``WorkExceeded`` rather than in a busy host. A unit is one keyword on one value, about 5 microseconds;
  counting work instead of time keeps verdicts the same on every machine.
* ``pattern``, ``patternProperties`` and ``additionalProperties`` search with RE2 (``patterns``).
* Messages: the originals embed ``repr`` of the whole value in every error, which multiplies a large output by the
  number of failing alternatives. Ours are empty; ``explain`` words them from the error's fields.
* ``uniqueItems`` is linear, where the original compares each pair of objects.
* ``integer`` means an integer: neither true nor 1.0 passes.

``vet`` admits no keyword that is not evaluated here or by ``jsonschema`` in bounded time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker, TypeChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from orchestrator.schemas.patterns import compile_pattern
from orchestrator.strictjson import dumps_canonical

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]
_CHARACTERS_PER_UNIT: Final = 4096


class WorkExceeded(Exception):  # noqa: N818 - ends an evaluation, is never shown
    """The evaluation used up its budget."""


class _Work(threading.local):
    left: int = 0


_WORK: Final = _Work()


def begin(units: int) -> None:
    """Give the evaluation that this thread is about to make ``units`` of work."""
    _WORK.left = units


def charge(units: int = 1) -> None:
    _WORK.left -= units
    if _WORK.left < 0:
        raise WorkExceeded


def weight(value: Any) -> int:
    """How many values ``value`` consists of."""
    total, pending = 0, [value]
    while pending:
        item = pending.pop()
        total += 1
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return total


def _same(one: Any, two: Any) -> bool:
    """JSON equality: true is not 1, 1.0 is 1. Costs at most the smaller of the two."""
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_same(item, two[key]) for key, item in one.items())
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_same, one, two))
    return bool(one == two)


def _enum(validator: Any, options: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    charge(weight(options) // 8)
    if not any(_same(option, instance) for option in options):
        yield ValidationError("")


def _const(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    charge(weight(wanted) // 8)
    if not _same(wanted, instance):
        yield ValidationError("")


def _type(validator: Any, types: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    names = [types] if isinstance(types, str) else types
    if not any(validator.is_type(instance, name) for name in names):
        yield ValidationError("")


def _sized(kind: type, wrong: Callable[[int, int], bool]) -> Keyword:
    def keyword(validator: Any, bound: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, kind) and wrong(len(instance), bound):  # type: ignore[arg-type]  # str, list or dict
            yield ValidationError("")

    return keyword


def _below(size: int, bound: int) -> bool:
    return size < bound


def _above(size: int, bound: int) -> bool:
    return size > bound


def _integral(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_integral(item) for item in value]
    return {key: _integral(item) for key, item in value.items()} if isinstance(value, dict) else value


def _unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """By canonical text: a set of strings cannot be flooded with colliding hashes, one of integers can."""
    if not wanted or not isinstance(instance, list):
        return
    charge(weight(instance))
    if len({dumps_canonical(_integral(item)) for item in instance}) != len(instance):
        yield ValidationError("")


def _matches(source: str, text: str) -> bool:
    pattern = compile_pattern(source)
    charge(pattern.cost(text))
    return pattern.found_in(text)


def _pattern(validator: Any, source: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(source, instance):
        yield ValidationError("")


def _format(validator: Any, name: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str):
        charge(len(instance) // _CHARACTERS_PER_UNIT)
        if not validator.format_checker.conforms(instance, name):
            yield ValidationError("")


def _required(validator: Any, names: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        yield from (ValidationError("", path=(name,)) for name in names if name not in instance)


def _properties(validator: Any, properties: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        charge(len(properties) // 8)
        for name, subschema in properties.items():
            if name in instance:
                yield from validator.descend(instance[name], subschema, path=name, schema_path=name)


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for source, subschema in patterns.items():
        for name, value in instance.items():
            if _matches(source, name):
                yield from validator.descend(value, subschema, path=name, schema_path=source)


def additional(instance: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """The keys of ``instance`` that ``additionalProperties`` of ``schema`` is about, in their order."""
    properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name in instance:
        if name not in properties and not any(_matches(source, name) for source in patterns):
            yield name


def _additional_properties(validator: Any, subschema: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict) or subschema is True:
        return
    charge(len(instance) // 8)
    for name in additional(instance, schema):
        charge()
        if subschema is False:
            yield ValidationError("", path=(name,))
        else:
            yield from validator.descend(instance[name], subschema, path=name)


def _items(validator: Any, subschema: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    first = len(schema.get("prefixItems", ()))
    if not isinstance(instance, list) or len(instance) <= first or subschema is True:
        return
    if subschema is False:
        yield ValidationError("")
        return
    for index in range(first, len(instance)):
        charge()
        yield from validator.descend(instance[index], subschema, path=index)


def _first_error(validator: Any, instance: Any, subschema: Any) -> ValidationError | None:
    charge()
    return next(validator.descend(instance, subschema), None)


def _any_of(validator: Any, alternatives: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if all(_first_error(validator, instance, each) for each in alternatives):
        yield ValidationError("")


def _one_of(validator: Any, alternatives: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    fitting = sum(_first_error(validator, instance, each) is None for each in alternatives)
    if fitting != 1:
        yield ValidationError("")


def _not(validator: Any, subschema: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if _first_error(validator, instance, subschema) is None:
        yield ValidationError("")


def _contains(validator: Any, subschema: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, list):
        return
    fitting = sum(_first_error(validator, item, subschema) is None for item in instance)
    if not schema.get("minContains", 1) <= fitting <= schema.get("maxContains", len(instance)):
        yield ValidationError("")


_OURS: Final[dict[str, Keyword]] = {
    "additionalProperties": _additional_properties,
    "anyOf": _any_of,
    "const": _const,
    "contains": _contains,
    "enum": _enum,
    "format": _format,
    "items": _items,
    "maxItems": _sized(list, _above),
    "maxLength": _sized(str, _above),
    "maxProperties": _sized(dict, _above),
    "minItems": _sized(list, _below),
    "minLength": _sized(str, _below),
    "minProperties": _sized(dict, _below),
    "not": _not,
    "oneOf": _one_of,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "properties": _properties,
    "required": _required,
    "type": _type,
    "uniqueItems": _unique_items,
}


def _charged(keyword: Keyword) -> Keyword:
    def evaluate(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        charge()
        return keyword(validator, value, instance, schema) or iter(())

    return evaluate


def _is_integer(checker: TypeChecker, instance: object) -> bool:
    return isinstance(instance, int) and not isinstance(instance, bool)


_BASE: Final[Mapping[str, Keyword]] = Draft202012Validator.VALIDATORS
_VALIDATOR: Final[Any] = extend(  # type: ignore[no-untyped-call]  # the stubs leave it bare
    Draft202012Validator,
    validators={name: _charged(_OURS.get(name, keyword)) for name, keyword in _BASE.items()},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


def new_validator(schema: Mapping[str, Any], registry: Any, formats: FormatChecker) -> Any:
    """A validator of ``schema`` whose references resolve in ``registry`` only. Call ``begin`` before each use."""
    return _VALIDATOR(schema, registry=registry, format_checker=formats)
