"""Characters that deceive are found; other scripts, accents and emoji are ordinary text."""

from __future__ import annotations

import pytest

from orchestrator.validation.characters import disguise_of, skeleton
from orchestrator.validation.examine import examine


def rules(code: str) -> set[str]:
    return {finding.rule for finding in examine(code).findings if finding.rule[:4] == "ORC0"}


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("x = '\u202e'", "ORC006"),
        ("x = 1  # \u2066", "ORC006"),
        ("x = 1  # a\rprint(1)", "ORC007"),
        ("x = '\x1b'", "ORC007"),
        ("x = 'a\u200bb'", "ORC011"),
        ("x = 'a\u2060b'", "ORC011"),
        ("x = 'a\ufeffb'", "ORC011"),
        ("x = 'adm\u200din'", "ORC011"),
        ("x = 'a\ufe0f'", "ORC011"),
        ("x = 'a" + "\U000e0061\U000e0062" + "'", "ORC011"),
        ("x = '\u2764" + "\ufe01\ufe02\ufe03" + "'", "ORC011"),
        ("us\ufe00er = 1", "ORC011"),
        ("p\u0430th = 1", "ORC009"),
        ("x.re\u0430d()", "ORC009"),
        ("f(n\u0430me=1)", "ORC009"),
        ("\u043es = 1", "ORC009"),
        ("def f(): pass\nimport json as js\u043en", "ORC009"),
    ],
)
def test_found(code: str, rule: str) -> None:
    assert rule in rules(code)


@pytest.mark.parametrize(
    "code",
    [
        "имя = 'Аня'",
        "имя_file = 1",
        "Δt = σ_x = μ1 = πr2 = θ = 1",
        "größe = naïve = 1",
        "変数 = '名前'",
        "x = '\u2764\ufe0f \u26a0\ufe0f 1\ufe0f\u20e3'",
        "x = '\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f\u200d\U0001f525'",
        "x = '\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f'",
        "x = '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645'",
        "x = 1\r\ny = 2\r\n",
        "x = '\\u202e\\u200b'",
        "сор = 1",  # looks like "cop", which is no name here
    ],
)
def test_ordinary(code: str) -> None:
    assert rules(code) == set()


def test_the_ascii_form_and_its_double_get_one_verdict() -> None:
    plain, wide = examine("eval('1')").findings, examine("ｅｖａｌ('1')").findings
    assert {(f.rule, f.subject) for f in plain} == {(f.rule, f.subject) for f in wide}


def test_names_are_spelled_as_they_look() -> None:
    assert disguise_of("p\u0430th") == "path"
    assert disguise_of("имя") == disguise_of("path") == ""
    assert skeleton("\u043e\u0455") == "os"
