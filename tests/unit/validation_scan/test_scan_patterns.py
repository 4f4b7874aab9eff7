"""Regular expressions of exponential time are told from those that only look like it."""

from __future__ import annotations

import pytest

from orchestrator.validation.examine import examine
from orchestrator.validation.regexes import MAX_POSITIONS, is_exponential

EXPONENTIAL = [
    r"(a+)+$", r"(.*)*x", r"^(\w+\s?)*$", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"([a-zA-Z]+)*\d", r"(a|aa)+$",
    r"(\s*\w+\s*)*!", r"(.|\s)*x", r"(x+x+)+y", r"^(\d+)*$", r"^((ab)+)+$", r"^(a+){10,}$", r"^([\w.-]+)*@",
    r"^(https?:\/\/)?([\da-z\.-]+)\.([a-z\.]{2,6})([\/\w \.-]*)*\/?$", r"(?i)^(x|X+)+$", r"(?s)(.|\n)*$",
]  # fmt: skip
HARMLESS = [
    r"(a+)+", r"\A---\n(.*?)\n---\n", r"[\w.+-]+@[\w-]+\.[\w.]+", r"^(#{1,6})\s+(.*)$", r"(?:[^\"\\]|\\.)*\"",
    r"([A-Z][a-z]+ ?)+$", r"(\w+\.)*\w+$", r"^\s*(\w+)\s*=\s*(.*)\s*$", r"(\d{1,3}\.){3}\d{1,3}$", r"^(\d+)(,\d+)*$",
    r"(.|\n)*?x", r"\[\[([^\]|]+)(\|[^\]]+)?\]\]", r"^[a-z0-9]+(?:-[a-z0-9]+)*$", r"(?:\w+\s+)*\w+$", r"(a|b)*c",
    r"^(\w+\s?)*", r"(\w|\d)+;", r"(?>a+)+$", r"(a)\1*$", r"(", r"[", "x" * 5000, r"(a?){3}b",
]  # fmt: skip


@pytest.mark.parametrize("pattern", EXPONENTIAL)
def test_exponential(pattern: str) -> None:
    assert is_exponential(pattern)


@pytest.mark.parametrize("pattern", HARMLESS)
def test_harmless(pattern: str) -> None:
    assert not is_exponential(pattern)


def test_a_pattern_that_must_match_to_the_end() -> None:
    assert not is_exponential(r"(\w+\s?)*")
    assert is_exponential(r"(\w+\s?)*", to_the_end=True)


def test_flags_count() -> None:
    assert is_exponential("( a+ )+ # comment\n $", 64)
    assert not is_exponential("( a+ )+ # comment\n $")


def test_what_is_too_large_gets_no_answer() -> None:
    assert not is_exponential("(" + "[ab]x?" * MAX_POSITIONS + "+)+$")


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import re\nre.compile(r'(a+)+$')", True),
        ("from re import search as s\nP = r'(a+)+$'\ns(P, 'a')", True),
        ("import re\nre.sub(pattern=r'(a+)+$', repl='', string='')", True),
        ("import re\nre.fullmatch(r'(a+)+', 'a')", True),
        ("import re\nre.match(r'(a+)+', 'a')", False),
        ("import re\nre.compile('( a+ )+ # x\\n $', re.VERBOSE)", True),
        ("compile = 1\nx = r'(a+)+$'", False),
    ],
)
def test_patterns_are_found_where_they_are_used(code: str, found: bool) -> None:
    assert ("ORC602" in {finding.rule for finding in examine(code).findings}) == found


def test_the_analysis_of_many_patterns_ends() -> None:
    code = "import re\n" + "\n".join(f"re.compile(r'^(a+b?{n})*$')" for n in range(400))
    assert sum(finding.rule == "ORC602" for finding in examine(code).findings) <= 200
