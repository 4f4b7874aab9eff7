"""The checks: a table from classes of syntax nodes to the functions that look at them.

A check takes one visit and the program around it and yields findings. To add a rule: describe it in rules.py, write a
check in the module of its subject, enter it in ``CHECKS``. A node class that is neither in ``CHECKS`` nor in ``PLAIN``
is denied as unknown syntax; a test holds the two against the ``ast`` module of the Python at hand. What is said about a
program as a whole hangs on its root, ``Module``.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from orchestrator.validation import syntax
from orchestrator.validation.checks.assembly import check_assemblies, check_constant
from orchestrator.validation.checks.attributes import check_attribute
from orchestrator.validation.checks.common import Check, found
from orchestrator.validation.checks.formats import check_styled
from orchestrator.validation.checks.identifiers import check_assignment, check_bound_names, check_keyword, check_name
from orchestrator.validation.checks.modules import check_import, check_import_from
from orchestrator.validation.checks.naming import check_call, check_match_class, check_match_mapping, check_subscript
from orchestrator.validation.checks.resources import check_calls, check_power, check_widths
from orchestrator.validation.finding import Finding
from orchestrator.validation.names import words
from orchestrator.validation.scopes import Program, Visit

__all__ = ["CHECKS", "PLAIN", "check"]

CHECKS: MappingProxyType[str, tuple[Check, ...]] = MappingProxyType(
    {
        "Module": (check_assemblies,),
        "Import": (check_import,),
        "ImportFrom": (check_import_from,),
        "alias": (check_bound_names,),
        "Name": (check_name,),
        "Attribute": (check_attribute,),
        "Call": (check_call, check_styled, check_calls),
        "keyword": (check_keyword,),
        "Subscript": (check_subscript,),
        "BinOp": (check_power,),
        "Constant": (check_constant, check_widths),
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
        "MatchMapping": (check_bound_names, check_match_mapping),
        "TypeVar": (check_bound_names,),
        "ParamSpec": (check_bound_names,),
        "TypeVarTuple": (check_bound_names,),
    }
)

# Node classes that mean nothing by themselves: what is in them is visited. By name, for 3.11 lacks some of them.
PLAIN = words(
    """
    Expr Load Store Del Return Delete AugAssign For AsyncFor While If With AsyncWith Match Raise Try
    TryStar Assert Global Nonlocal Pass Break Continue BoolOp NamedExpr UnaryOp Lambda IfExp Dict Set ListComp
    SetComp DictComp GeneratorExp Await Yield YieldFrom Compare FormattedValue JoinedStr Starred List Tuple Slice
    And Or Add Sub Mult MatMult Div Mod Pow LShift RShift BitOr BitXor BitAnd FloorDiv Invert Not UAdd USub
    Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn comprehension arguments withitem match_case MatchValue
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
        yield found("ORC005", kind, f"uses syntax of the kind {kind}", visit.node)
    if kind in syntax.NEWER and (version := syntax.since(visit.node)) != syntax.OLDEST:
        text = ".".join(map(str, version))
        yield found("ORC010", text, f"uses syntax of Python {text} ({kind})", visit.node)
