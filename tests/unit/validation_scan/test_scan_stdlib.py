"""Every module of the standard library is classified, and no shipped policy allows a class that reaches out."""

from __future__ import annotations

import builtins
import importlib
import operator
import sys
import types
import typing
from collections.abc import Iterator

import pytest

from orchestrator.validation import names
from orchestrator.validation.stdlib import CLASSES, REACHES_OUT, STDLIB
from tests.support.policies import LEVELS, shipped


def test_every_module_of_this_python_is_classified() -> None:
    """A new Python brings new modules: look at each one, then enter it in stdlib.py."""
    assert sorted(set(sys.stdlib_module_names) - set(STDLIB)) == []


def test_no_module_has_two_classes() -> None:
    assert sum(len(listed.split()) for listed in CLASSES.values()) == len(STDLIB)


@pytest.mark.parametrize("level", LEVELS)
def test_no_policy_allows_what_reaches_out(level: str) -> None:
    allowed = shipped(level).parts.code.imports_allow.names
    reaching = {name for name in allowed if STDLIB.get(name.partition(".")[0]) in REACHES_OUT}
    assert reaching == set()


@pytest.mark.parametrize("level", ["strict", "standard"])
def test_of_mixed_modules_only_parts_are_allowed(level: str) -> None:
    allowed = shipped(level).parts.code.imports_allow.names
    whole = {name for name in allowed if STDLIB.get(name) == "mixed"}
    assert whole <= {"logging", "locale"}  # theirs are denied part by part, in [imports] deny and [calls]


POWERS = {
    id(getattr(module, name)): f"{module.__name__}.{name}"
    for module, listed in (
        (builtins, "eval exec compile __import__ globals locals vars breakpoint input getattr setattr delattr"),
        (operator, "attrgetter methodcaller"),
        (types, "CodeType FunctionType FrameType ModuleType CellType"),
        (typing, "get_type_hints ForwardRef"),
    )
    for name in listed.split()
}


def loadable(level: str) -> Iterator[tuple[str, types.ModuleType]]:
    for name in sorted(shipped(level).parts.code.imports_allow.names):
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            try:
                yield ".".join(parts[:end]), importlib.import_module(".".join(parts[:end]))
                break
            except ImportError:
                continue


def test_no_allowed_module_hands_out_power_under_another_name() -> None:
    handed = {
        f"{name}.{attribute}": POWERS[id(value)]
        for name, module in loadable("standard")
        for attribute, value in vars(module).items()
        if id(value) in POWERS and not attribute.startswith("_")
    }
    own = {dotted for dotted in handed if dotted.partition(".")[0] in ("operator", "types", "typing")}
    assert {dotted for dotted in set(handed) - own if dotted not in names.RE_EXPORTS} == set()


def test_every_module_behind_an_allowed_one_is_known() -> None:
    """``enum.bltns``: an attribute that is a module must be found as one, whatever it is called."""
    missed = []
    for name, module in loadable("standard"):
        for attribute, value in vars(module).items():
            if not isinstance(value, types.ModuleType) or attribute.startswith("_"):
                continue
            dotted = f"{name}.{attribute}"
            root = value.__name__.partition(".")[0]
            own = root == name.partition(".")[0] or STDLIB.get(root) == "pure"
            found = attribute in names.STDLIB_MODULES or attribute in names.MODULES_BEHIND_OBJECTS
            if not own and (not found or dotted in names.STDLIB_NOT_MODULES) and dotted not in names.STDLIB_SUBMODULES:
                missed.append(dotted)
    assert missed == []
