"""Whether a regular expression of a program can take exponential time: a static answer, nothing is matched.

Theory. A backtracking matcher is exponential when the expression is *exponentially ambiguous* (Weber and Seidl;
Weideman et al., "Analyzing matching time behavior of backtracking regular expression matchers"): some state can be
left and reached again by two different paths over the same text, and what follows can fail. The expression is turned
into its position automaton (Glushkov); in the product of the automaton with itself, a strongly connected component that
holds a pair (q, q) and a pair (p, r) of different states is such a state. This is exact for expressions without
backreferences and assertions inside the loop; those with backreferences, atomic groups or possessive repeats, and those
larger than the limits here, get no answer: False.
Characters are compared over ASCII and one stand-in for all others.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from orchestrator.validation.source import quietly

MAX_PATTERN_CHARS = 2_000
MAX_POSITIONS = 80  # of the automaton: its product has the square of that
_MANY = 8  # repetitions from which on a bound does not help; below, the loop is unrolled as one optional part

_OTHERS = 1 << 128  # the stand-in for every character beyond ASCII
_EVERYTHING = (1 << 129) - 1
_NEWLINE = 1 << 10
_IGNORECASE, _DOTALL = 2, 16  # the values of re.I and re.S


class _NoAnswerError(Exception):
    pass


@lru_cache(maxsize=512)
def is_exponential(pattern: str, flags: int = 0, *, to_the_end: bool = False) -> bool:
    """Whether matching ``pattern`` can take time exponential in the text. False where the analysis gives up.

    ``flags`` are those of ``re.compile``. ``to_the_end``: the whole text must match (``re.fullmatch``), so that what
    stands last can fail as well.
    """
    if len(pattern) > MAX_PATTERN_CHARS or not any(mark in pattern for mark in "*+{"):
        return False
    parser: Any = importlib.import_module("re._parser")
    try:
        with quietly():
            parsed = parser.parse(pattern, flags)
        flags = parsed.state.flags  # those in the pattern included
        automaton = _Automaton(bool(flags & _IGNORECASE), bool(flags & _DOTALL))
        return automaton.has_exponential_loop(parsed, to_the_end=to_the_end)
    except (_NoAnswerError, RecursionError, MemoryError, OverflowError, ValueError):
        return False
    except Exception as error:  # re.error is another class in other versions of Python
        if type(error).__name__ in ("error", "PatternError"):
            return False  # it raises as well when the program compiles it
        raise


@dataclass(frozen=True, slots=True)
class _Part:
    """What a piece of the expression contributes: can it match nothing, which positions begin and end it."""

    nullable: bool
    first: frozenset[int] = frozenset()
    last: frozenset[int] = frozenset()


_NOTHING: Final = _Part(nullable=True)


@dataclass(slots=True)
class _Automaton:
    ignore_case: bool
    dot_all: bool
    sets: list[int] = field(default_factory=list)  # characters of each position, as bits
    follow: list[set[int]] = field(default_factory=list)
    loops: list[frozenset[int]] = field(default_factory=list)  # positions of loops after which something can fail
    doubled: set[tuple[int, int]] = field(default_factory=set)  # steps that can be taken in two ways: (a+)+

    def has_exponential_loop(self, parsed: Any, *, to_the_end: bool) -> bool:
        self._sequence(parsed, can_fail_after=to_the_end)
        return any(self._is_ambiguous(loop) for loop in self.loops)

    # -- building -----------------------------------------------------------------------------------------------

    def _position(self, characters: int) -> _Part:
        if len(self.sets) >= MAX_POSITIONS:
            raise _NoAnswerError
        self.sets.append(characters)
        self.follow.append(set())
        at = frozenset({len(self.sets) - 1})
        return _Part(False, at, at)

    def _sequence(self, items: Sequence[Any], *, can_fail_after: bool) -> _Part:
        whole = _NOTHING
        fails = [can_fail_after] * (len(items) + 1)
        for index in range(len(items) - 1, -1, -1):
            fails[index] = fails[index + 1] or _can_fail(items[index])
        for index, item in enumerate(items):
            whole = self._concatenate(whole, self._item(item, can_fail_after=fails[index + 1]))
        return whole

    def _link(self, ends: frozenset[int], begins: frozenset[int]) -> None:
        for end in ends:
            self.doubled.update((end, begin) for begin in self.follow[end] & begins)
            self.follow[end] |= begins

    def _concatenate(self, left: _Part, right: _Part) -> _Part:
        self._link(left.last, right.first)
        return _Part(
            left.nullable and right.nullable,
            left.first | right.first if left.nullable else left.first,
            left.last | right.last if right.nullable else right.last,
        )

    def _item(self, item: Any, *, can_fail_after: bool) -> _Part:
        operation, argument = str(item[0]), item[1]
        if operation in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return self._position(self._characters(operation, argument))
        if operation in ("MAX_REPEAT", "MIN_REPEAT"):
            return self._repeat(*argument, can_fail_after=can_fail_after)
        if operation == "SUBPATTERN":
            return self._sequence(argument[-1], can_fail_after=can_fail_after)
        if operation == "BRANCH":
            return self._branch(argument[1], can_fail_after=can_fail_after)
        if operation in ("AT", "ASSERT", "ASSERT_NOT"):
            return _NOTHING
        raise _NoAnswerError  # backreferences, conditions, what never gives back (atomic, possessive), later versions

    def _branch(self, branches: Iterable[Any], *, can_fail_after: bool) -> _Part:
        parts = [self._sequence(branch, can_fail_after=can_fail_after) for branch in branches]
        return _Part(
            any(part.nullable for part in parts),
            frozenset().union(*(part.first for part in parts)),
            frozenset().union(*(part.last for part in parts)),
        )

    def _repeat(self, least: int, most: Any, body: Any, *, can_fail_after: bool) -> _Part:
        begin = len(self.sets)
        loops = int(most) >= _MANY
        part = self._sequence(body, can_fail_after=can_fail_after)
        if loops:
            self._link(part.last, part.first)
            if can_fail_after:
                self.loops.append(frozenset(range(begin, len(self.sets))))
        return _Part(part.nullable or least == 0, part.first, part.last)

    # -- character sets, as bits --------------------------------------------------------------------------------

    def _characters(self, operation: str, argument: Any) -> int:
        if operation == "ANY":
            return _EVERYTHING if self.dot_all else _EVERYTHING & ~_NEWLINE
        if operation == "IN":
            return self._set(argument)
        bit = self._cased(_bit(argument))
        return _EVERYTHING & ~bit | _OTHERS if operation == "NOT_LITERAL" else bit

    def _set(self, items: Any) -> int:
        characters, negated = 0, False
        for operation, argument in ((str(operation), argument) for operation, argument in items):
            if operation == "NEGATE":
                negated = True
            elif operation == "LITERAL":
                characters |= _bit(argument)
            elif operation == "RANGE":
                low, high = argument
                characters |= sum(1 << code for code in range(low, min(high, 127) + 1)) | (_OTHERS if high > 127 else 0)
            elif operation == "CATEGORY":
                characters |= _CATEGORIES[str(argument)]
            else:
                raise _NoAnswerError
        characters = self._cased(characters)
        return _EVERYTHING & ~characters | _OTHERS if negated else characters

    def _cased(self, characters: int) -> int:
        if not self.ignore_case:
            return characters
        upper, lower = ((1 << 26) - 1) << 65, ((1 << 26) - 1) << 97
        return characters | (characters & upper) << 32 | (characters & lower) >> 32

    # -- ambiguity ----------------------------------------------------------------------------------------------

    def _is_ambiguous(self, loop: frozenset[int]) -> bool:
        """A component of the product holds (q, q) and a pair of different states, or a step with two ways."""
        for component in _components(self._product(loop)):
            same = {left for left, right in component if left == right}
            if same and (len(same) < len(component) or any(a in same and b in same for a, b in self.doubled)):
                return True
        return False

    def _product(self, loop: frozenset[int]) -> dict[tuple[int, int], list[tuple[int, int]]]:
        """Pairs of positions that read the same character, reachable from pairs of equal ones."""
        edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
        pending = [(position, position) for position in loop]
        while pending:
            pair = pending.pop()
            if pair in edges:
                continue
            edges[pair] = [
                (left, right)
                for left in self.follow[pair[0]] & loop
                for right in self.follow[pair[1]] & loop
                if self.sets[left] & self.sets[right]
            ]
            pending += edges[pair]
        return edges


def _components(edges: dict[tuple[int, int], list[tuple[int, int]]]) -> Iterator[list[tuple[int, int]]]:
    """Strongly connected components with an edge inside (Tarjan, without recursion)."""
    index: dict[tuple[int, int], int] = {}
    low: dict[tuple[int, int], int] = {}
    stack: list[tuple[int, int]] = []
    on_stack: set[tuple[int, int]] = set()
    for root, first in edges.items():
        if root in index:
            continue
        work = [(root, iter(first))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(edges[target])))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    yield _popped(node, stack, on_stack)


def _popped(
    node: tuple[int, int], stack: list[tuple[int, int]], on_stack: set[tuple[int, int]]
) -> list[tuple[int, int]]:
    component = []
    while True:
        member = stack.pop()
        on_stack.discard(member)
        component.append(member)
        if member == node:
            return component


def _can_fail(item: Any) -> bool:
    """Whether the matcher can fail at ``item`` and has to go back: everything but what can match nothing."""
    operation, argument = str(item[0]), item[1]
    if operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return int(argument[0]) > 0 and any(_can_fail(inner) for inner in argument[2])
    if operation == "SUBPATTERN":
        return any(_can_fail(inner) for inner in argument[-1])
    if operation == "BRANCH":
        return all(any(_can_fail(inner) for inner in branch) for branch in argument[1])
    return True


def _bit(code: int) -> int:
    return 1 << code if code < 128 else _OTHERS


def _bits(text: str) -> int:
    return sum(1 << ord(character) for character in text)


_DIGITS = _bits("0123456789")
_SPACES = _bits(" \t\n\r\f\v\x1c\x1d\x1e\x1f")
_WORDS = _DIGITS | _bits("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_CATEGORIES = {
    "CATEGORY_DIGIT": _DIGITS,
    "CATEGORY_NOT_DIGIT": _EVERYTHING & ~_DIGITS,
    "CATEGORY_SPACE": _SPACES,
    "CATEGORY_NOT_SPACE": _EVERYTHING & ~_SPACES,
    "CATEGORY_WORD": _WORDS | _OTHERS,
    "CATEGORY_NOT_WORD": _EVERYTHING & ~_WORDS,
}
