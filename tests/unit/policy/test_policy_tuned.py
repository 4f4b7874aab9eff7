"""Rules for one code only: by its hash, for nobody else, and never for what could not be examined."""

from __future__ import annotations

import pytest

from orchestrator.errors import PolicyError
from orchestrator.policy import Decision, default_policy_dir, load_policy
from orchestrator.policy.difference import difference
from orchestrator.policy.load import read_policy_files
from orchestrator.validation.scanner import digest_of, inspect
from tests.support.policies import HOST, skill

CODE = "import os\n\ndef main(name):\n    return getattr(os, name)\n"
FILES = read_policy_files(default_policy_dir())


def text_with(table: str) -> bytes:
    return FILES.levels["standard"] + f"\n{table}\n".encode()


def decision(table: str, code: str = CODE) -> Decision:
    made = skill(code=code)
    return load_policy("standard", text_with(table), FILES.profiles).evaluate(made, inspect(made), HOST)


def rules(found: Decision) -> set[str]:
    return {finding.rule for finding in found.violations}


def tuned(code: str, **modes: str) -> str:
    return f'[tuned."{digest_of(code)}"]\n' + "\n".join(f'{rule} = "{mode}"' for rule, mode in modes.items())


def test_a_rule_is_loosened_for_one_code() -> None:
    denied = rules(decision(""))
    assert denied
    loosened = tuned(CODE, **dict.fromkeys(denied, "warn"))
    assert decision(loosened).allowed
    other = CODE + "# another text is another code\n"
    assert rules(decision(loosened, other)) == denied


def test_a_rule_is_tightened_for_one_code() -> None:
    code = "def main(row, column):\n    return getattr(row, column)\n"
    assert decision("", code).allowed
    assert rules(decision(tuned(code, ORC206="deny"), code)) == {"ORC206"}


@pytest.mark.parametrize(
    "table", [tuned(CODE, ORC001="off"), tuned(CODE, ORC999="off"), '[tuned."tidy"]\nORC206 = "off"']
)
def test_what_cannot_be_tuned(table: str) -> None:
    with pytest.raises(PolicyError):
        load_policy("standard", text_with(table), FILES.profiles)


def test_the_difference_is_told() -> None:
    before = load_policy("standard", FILES.levels["standard"], FILES.profiles)
    after = load_policy("standard", text_with(tuned(CODE, ORC106="off")), FILES.profiles)
    (found,) = difference(before, after)
    assert (found.table, found.subject) == ("tuned", f"{digest_of(CODE)[:12]} ORC106")
