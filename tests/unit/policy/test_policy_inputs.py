"""``[inputs]``: what marks of attacks lead to, level by level; and ordinary text, which must pass."""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import PolicyError
from orchestrator.policy import Decision, load_policy
from orchestrator.policy.given import with_inputs
from orchestrator.policy.inputs import FieldRules, InputRules, judge_inputs
from orchestrator.validation.finding import Finding
from orchestrator.validation.markers import CHECKS, TERMS
from tests.support.policies import LEVELS, PROFILE, SHIPPED, decide, shipped, skill

POLICIES = {level: shipped(level) for level in LEVELS}
ALLOWED = {level: decide(POLICIES[level], skill(level=level)) for level in LEVELS}


def judged(level: str, **inputs: Any) -> Decision:
    return with_inputs(ALLOWED[level], inputs)


def denied(level: str, **inputs: Any) -> set[str]:
    return {finding.rule for finding in judged(level, **inputs).violations}


def warned(level: str, **inputs: Any) -> set[str]:
    return {finding.rule for finding in judged(level, **inputs).warnings}


HOSTILE = {
    "path_traversal": [
        "../../etc/passwd", "a/../../b", "..", "a/..", "..\\x", "%2e%2e%2fx", "%252e%252e%252fx", "..%2fx", "..%c0%afx",
        "%c0%ae%c0%ae/x", "\uff0e\uff0e\uff0fx", "\u2025/x", "/vault/../etc", "x/%2E%2E/y", "file.md/..",
    ],
    "absolute_path": [
        "/etc/passwd", "/", "~/.ssh/id_rsa", "~root/x", "C:\\Windows", "c:/x", "\\\\server\\share", "file:///x",
        "%2fetc", "\uff0fetc",
    ],
    "control_characters": ["a\0b", "\x1b[31m", "a\x07", "\x7f", "\x9b31m", "\x08"],
    "bidi_controls": ["a\u202eb", "\u2066x"],
    "private_url": [
        "http://localhost:8080", "http://127.0.0.1/", "http://127.1", "http://0177.0.0.1", "http://0x7f.0.0.1",
        "http://2130706433/", "http://017700000001", "http://[::1]:80/", "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[fd00::1]/",
        "http://[fe80::1%25eth0]/", "http://169.254.169.254/latest/meta-data", "http://metadata.google.internal/",
        "http://10.1.2.3", "http://192.168.0.1", "http://172.16.0.1", "http://100.64.0.1", "http://0/", "http://0.0.0.0",
        "http://intranet/", "http://good.example@127.0.0.1/", "http://127.0.0.1\\@good.example/",
        "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/", "http://127.0.0.1.nip.io/", "http://127\u30020\u30020\u30021/",
        "http:///127.0.0.1", "http:\\\\127.0.0.1", "//127.0.0.1/x", "gopher://127.0.0.1:6379/_x", "http://%31%32%37.0.0.1/",
        "http://LOCALHOST./", "http://printer.local/", "http://224.0.0.1/", "see http://10.0.0.1 for it",
    ],
    "url_credentials": ["https://user:secret@example.org/"],
    "sql": ["' OR '1'='1", "1; DROP TABLE notes", "x' UNION SELECT password FROM users --", "1 AND sleep(5)",
            "admin'--"],
    "shell": ["$(id)", "x; rm -rf /", "a | sh", "`id`", "a && curl http://x", "x > /etc/passwd", "${IFS}"],
    "template": ["{{7*7}}", "{{ config.items() }}", "${jndi:ldap://example.org/a}", "{% import os %}", "<%= x %>",
                 "{0.__class__.__mro__}", "#{7*7}"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in HOSTILE.items() for text in texts])
def test_a_mark_is_found_and_strict_denies_it(name: str, text: str) -> None:
    rule = CHECKS[name].id
    assert rule in denied("strict", value=text)
    assert rule in denied("strict", deep=[{"x": text}])
    assert rule in denied("strict", **{"k": {text: 1}})  # in a key
    assert denied("standard", value=text) <= {"INP101"}
    assert rule in denied("standard", value=text) | warned("standard", value=text)
    off = InputRules(checks=MappingProxyType(dict.fromkeys(CHECKS, "off")))
    assert judge_inputs({"value": text}, off, "x") == ((), ())  # the control: without the check it passes


ORDINARY = [
    "Buy milk; call mum\tsoon\r\nand then... go home",
    "see ../Archive/notes.md and http://192.168.0.1 for the router",
    "SELECT is a SQL keyword; use `git log | head` and `$(pwd)`",
    "Don't or won't -- that's the question. 'Yes' -- no.",
    "Template: {{title}} {{date}} <% tp.date.now() %>",
    "\u05e9\u05dc\u05d5\u05dd \u200fworld\u200e \U0001f468\u200d\U0001f469\u200d\U0001f467 \u00e9\u0301",
    "page one\x0cpage two\x0bline",
    "C:\\Users\\me and /usr/bin and ~/notes",
    "https://example.org/a/../b?x=1&y=2",
]


@pytest.mark.parametrize("text", ORDINARY)
@pytest.mark.parametrize("level", ["standard", "relaxed"])
def test_ordinary_text_is_not_denied(level: str, text: str) -> None:
    assert denied(level, text=text, body=[text], note={"content": text}) == set()


@pytest.mark.parametrize(
    "value",
    ["Inbox", "Inbox/today.md", "a..b/c", "v1...v2", "notes 2024-01-01", "/vault/Inbox", "name@example.org",
     "https://example.org/x", "100%", "a & b", "O'Brien", "{braces}", "#tag", "2130706433", "k=v; next"],
)  # fmt: skip
def test_plain_values_are_not_even_warned_of(value: str) -> None:
    for level in LEVELS:
        decision = judged(level, value=value, folder=value if "@" not in value and ":" not in value else "x")
        assert (decision.violations, decision.warnings) == ((), ())


@pytest.mark.parametrize(
    "field",
    ["path", "folder", "file", "out_file", "filePath", "directory", "files", "folderName", "file_names", "sourceDir"],
)
def test_fields_named_like_paths_may_not_climb(field: str) -> None:
    for level in LEVELS:
        assert "INP111" in denied(level, **{field: "../x"})
        assert "INP111" in denied(level, options={field: ["a", "%2e%2e/x"]})
        assert "INP103" in denied(level, **{field: "a\nb"})
        assert denied(level, **{field: "Inbox/a.md"}) == set()
    assert "INP112" in warned("standard", **{field: "/etc/passwd"})
    assert "INP112" in denied("strict", **{field: "/etc/passwd"})


@pytest.mark.parametrize("field", ["text", "profiles_of", "note", "direction", "content", "filed"])
def test_other_fields_are_text(field: str) -> None:
    assert denied("standard", **{field: "look in ../x\nor here"}) == set()


def test_fields_of_urls_and_addresses() -> None:
    assert "INP131" in warned("standard", url="http://127.0.0.1")
    assert "INP131" in denied("strict", webhookUrl="http://127.0.0.1")
    assert "INP121" in denied("strict", email="me@example.org\nBcc: you@example.org")
    assert "INP121" in warned("standard", contact={"email_address": "no address"})
    assert denied("standard", email="me@example.org\nx") == {"INP103"}
    assert judged("strict", email="me@example.org", url="https://example.org").violations == ()


def test_a_finding_names_the_field_and_never_shows_the_value() -> None:
    secret = "hunter2-4711-canary-../and/more"
    decision = judged("strict", options=[{"a/b": secret}])
    found = next(finding for finding in decision.violations if finding.rule == "INP111")
    assert found.subject == "/options/0/a~1b"
    assert "/options/0/a~1b" in found.message
    assert found.fix
    assert not decision.allowed
    assert (decision.spec, decision.limits, decision.grants, decision.guards) == (None, None, None, None)
    for finding in (*decision.violations, *judged("strict", email=secret).violations):
        assert secret not in finding.message
        assert finding.message.isprintable()


@settings(max_examples=300, deadline=None)
@given(st.text(min_size=2, max_size=60), st.sampled_from(["value", "path", "url", "email"]))
def test_no_message_shows_more_than_half_of_a_value(text: str, field: str) -> None:
    rules = replace(POLICIES["strict"].parts.inputs, fields=(FieldRules("value", {}, pattern="never-matches"),))
    for finding in sum(judge_inputs({field: text}, rules, "strict"), ()):
        quoted = re.search(r': "(.*)" in ', finding.message)
        assert finding.message.isprintable() or not text.isprintable()
        assert quoted is None or len(quoted[1].removesuffix("…")) <= max(1, (len(text) + 1) // 2)


def test_many_findings_are_bounded() -> None:
    decision = judged("strict", values=["../x"] * 1000)
    assert len(decision.violations) == 20
    assert len(judged("standard", values=["../x"] * 1000).warnings) == 20
    hidden = judged("standard", values=["../x"] * 1000, z="\0")
    assert [finding.rule for finding in hidden.violations] == ["INP101"]  # a cut of warnings hides no denial


def test_more_urls_than_are_looked_at_is_a_finding() -> None:
    many = "https://example.org/ " * 3000
    assert "INP131" in denied("strict", value=many)
    assert "INP131" not in denied("strict", value=many[: 40 * 21])


def with_table(text: str) -> InputRules:
    """The standard policy with another ``[inputs]``."""
    whole = (SHIPPED / "standard.toml").read_text("utf-8")
    start = whole.index("[inputs]")
    end = re.search(r"^\[(?!\[?inputs)", whole[start + 1 :], re.MULTILINE)
    assert end is not None
    changed = whole[:start] + text + "\n" + whole[start + 1 + end.start() :]
    return load_policy("standard", changed.encode(), {"sandbox.json": PROFILE}).parts.inputs


def rules_of(rules: InputRules, **inputs: Any) -> set[str]:
    return {finding.rule for finding in judge_inputs(inputs, rules, "x")[0]}


def test_bounds() -> None:
    rules = with_table("[inputs]\nmax_bytes = 100\nmax_depth = 3")
    assert rules_of(rules, a="x" * 100) == {"INP151"}
    assert rules_of(rules, a="x" * 92) == set()
    assert rules_of(rules, a=[[1]]) == set()
    assert rules_of(rules, a=[[[]]]) == {"INP152"}


def test_terms_of_a_field() -> None:
    rules = with_table(
        "[[inputs.fields]]\nname = '^/order$'\npattern = '[A-Z]{2}[0-9]+'\n"
        "[[inputs.fields]]\nname = '^/feeds$'\nschemes = ['https']\nhosts = ['Example.org']\n"
    )
    assert rules_of(rules, order="AB12") == set()
    for bad in ("AB12\n", "xAB12", "AB12; x", ""):
        assert rules_of(rules, order=bad) == {"INP153"}
    assert rules_of(rules, feeds=["https://example.org/x", "https://a.example.org"]) == set()
    assert rules_of(rules, feeds=["http://example.org/x"]) == {"INP154"}
    for bad in ("https://example.org.evil.test/", "https://evil.test/#example.org", "https://evil.test\\@example.org",
                "https://notexample.org"):  # fmt: skip
        assert rules_of(rules, feeds=["https://example.org", bad]) == {"INP155"}


def test_the_last_entry_decides() -> None:
    fields = "[[inputs.fields]]\nname = 'q'\nchecks = {{ sql = \"{}\" }}\n"
    text = "1; DROP TABLE x"
    assert rules_of(with_table('[inputs.checks]\nsql = "off"\n' + fields.format("deny")), q=text) == {"INP141"}
    assert rules_of(with_table(fields.format("deny") + fields.format("off")), q=text) == set()
    assert rules_of(with_table('[inputs.checks]\nsql = "deny"'), q=text) == {"INP141"}
    assert rules_of(with_table(""), q=text) == set()  # not named: warns


@pytest.mark.parametrize(
    ("table", "pointer"),
    [
        ('[inputs.checks]\nsqli = "deny"', "/inputs/checks/sqli"),
        ('[inputs.checks]\nsql = "maybe"', "/inputs/checks/sql"),
        ('[inputs.checks]\nline_breaks = "deny"', "/inputs/checks/line_breaks"),
        ('[inputs.checks]\nemail = "warn"', "/inputs/checks/email"),
        ("[inputs]\nmax_bytes = 99999999", "/inputs/max_bytes"),
        ("[inputs]\nmax_depth = 0", "/inputs/max_depth"),
        ("[inputs]\nextra = 1", "/inputs"),
        ("[[inputs.fields]]\nname = '('", "/inputs/fields/0/name"),
        ("[[inputs.fields]]\nname = 'x'\npattern = '(?=x)'", "/inputs/fields/0/pattern"),
        ("[[inputs.fields]]\nname = 'x'\npattern = '(a)\\1'", "/inputs/fields/0/pattern"),
        ("[[inputs.fields]]\nname = 'x'\npattern = '(((a{100}){100}){100})'", "/inputs/fields/0/pattern"),
        ("[[inputs.fields]]\nname = 'x'\nchecks = { nothing = 'deny' }", "/inputs/fields/0/checks/nothing"),
        ("[[inputs.fields]]\nchecks = {}", "/inputs/fields/0"),
    ],
)
def test_a_table_that_is_not_understood_is_refused(table: str, pointer: str) -> None:
    with pytest.raises(PolicyError) as caught:
        with_table(table)
    assert pointer in {problem.pointer for problem in caught.value.problems}


def test_audit_mode_reports_and_lets_pass_all_but_bounds() -> None:
    tried = replace(ALLOWED["strict"], enforcement="audit")
    decision = with_inputs(tried, {"value": "../x"})
    assert decision.allowed
    assert [finding.rule for finding in decision.would_deny] == ["INP111"]
    assert not with_inputs(tried, {"value": "x" * 2**20}).allowed


def test_a_denied_skill_stays_denied_and_says_both() -> None:
    already = decide(POLICIES["strict"], skill("import socket", "strict"))
    decision = with_inputs(already, {"value": "../x"})
    assert {"ORC101", "INP111"} <= {finding.rule for finding in decision.violations}
    assert not with_inputs(already, {}).allowed


def test_every_check_is_set_by_every_level_and_met_here() -> None:
    for level in LEVELS:
        rules = POLICIES[level].parts.inputs
        assert set(rules.checks) == {name for name, check in CHECKS.items() if not check.by_field}
    assert set(HOSTILE) == set(POLICIES["strict"].parts.inputs.checks)
    ids = [check.id for check in CHECKS.values()] + list(TERMS)
    assert len(ids) == len(set(ids))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.recursive(st.text(), st.lists, max_leaves=5), max_size=4))
def test_any_inputs_get_an_answer(inputs: dict[str, Any]) -> None:
    for level in LEVELS:
        violations, warnings = judge_inputs(inputs, POLICIES[level].parts.inputs, level)
        assert all(isinstance(finding, Finding) and finding.fix for finding in (*violations, *warnings))
