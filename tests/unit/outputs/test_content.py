"""Active content in notes: each detector has hits that are made harmless, and look-alikes that stay as they are."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.outputs.active import DETECTORS
from orchestrator.outputs.content import MAX_BYTES, Treated, treated
from orchestrator.outputs.markdown import code_in
from orchestrator.outputs.rules import RULES
from orchestrator.policy.outputs import ContentRules

ESCAPE = ContentRules(remote_images="escape")
NAMES = [field.name for field in fields(ContentRules) if field.name != "output"]


def every(action: str) -> ContentRules:
    return replace(ContentRules(), **cast(Any, dict.fromkeys(NAMES, action)))


def apply(note: str, rules: ContentRules = ESCAPE, former: str | None = None) -> Treated:
    return treated(note.encode(), rules, "n.md", former=lambda: None if former is None else former.encode())


FENCE = "```"
# Detector -> notes in which it must act.
HITS: dict[str, list[str]] = {
    "html": [
        "<script>alert(1)</script>", "<SCRIPT\nsrc=x>", "<script/x>", "text <iframe src=x></iframe>",
        "<object data=x>", "<embed src=x>", "<form action=x>", "<input autofocus>", "<base href=x>",
        "<meta http-equiv=refresh content='0;url=x'>", "<link rel=stylesheet href=x>", "<style>a{}</style>",
        "<img src=x onerror=alert(1)>", "<img src=x\nonerror = alert(1)>", '<a title=">" onclick=x>',
        "<svg/onload=x>", '<a title=x" foo=">" onclick=1>', "<p style='background:url(http://e)'>",
        "<p style=\"width: e&#120;pression(x)\">", "<b srcdoc=x>", "- <script>x</script>", "> <script>x</script>",
        "    <script>x</script>", f"- {FENCE}\n<script>x</script>\n{FENCE}", f"> {FENCE}\n<script>x</script>",
        f"<!--\n{FENCE}\n-->\n<script>x</script>\n{FENCE}", f"<div>\n{FENCE}\n<script>x</script>\n{FENCE}",
        f"x <!--\n\n{FENCE}\n-->\n{FENCE}\n<script>x</script>", f"<div>\n\n{FENCE}\na\n{FENCE}\n<script>x</script>",
        f"%%\n{FENCE}\n%%\n<script>x</script>\n{FENCE}", f"$$\n{FENCE}\n$$\n<script>x</script>\n{FENCE}",
        f"---\na: |\n{FENCE}\n---\n<script>x</script>\n{FENCE}", "| ` | <script>x</script> ` |",
        "`\n- a ` b ` <script>x</script> `", '<b title="`"><script>x</script>`', "[a](x '`') <script>x</script> `",
        r"\` <script>x</script> `", "$`$ <script>x</script> $`$", "[[a`b]] <script>x</script> `",
        f"{FENCE}a`b\n<script>x</script>\n{FENCE}", f"{FENCE}\ncode\n{FENCE}\n<script>x</script>",
        f"{FENCE}\ncode\n{FENCE}{FENCE}\n<script>x</script>", "\xa0<script>x</script>",
    ],
    "links": [
        "[a](javascript:alert(1))", "[a]( JavaScript:x)", "[a](<javascript:x>)", "[a](java\tscript:x)",
        "[a](java&#115;cript:x)", "[a](javascript&colon;x)", r"[a](javascript\:x)", "[a]:  javascript:x",
        "<javascript:x>", "[a](vbscript:x)", "[a](data:text/html,x)", "[a](data:image/svg+xml,x)",
        "<a href='javascript:x'>b</a>", "<a href=java&#x73;cript:x>", "[a](&#1;javascript:x)", "![a](javascript:x)",
    ],
    "frontmatter": [
        "---\ntemplater: x\n---\n", "---\ntags: [a]\nexcalidraw-onload-script: |\n  run()\n  more()\n---\nbody",
        "---\n\"js-engine\": x\n---\n", "---\nx: !!python/object/apply:os.system [ls]\n---\n",
        "---\r\ndataviewjs: x\r\n---\r\n",
        "---\n{a: 1, templater: x}\n---\n", "\ufeff---\nTemplater-on: x\n---\n",
    ],
    "templates": [
        "<% tp.date.now() %>", "a <%* tp.file.move('x') %> b", "<%", f"{FENCE}js\n<%* x %>\n{FENCE}",
        f"{FENCE}\n<% tp.user.x() %>\n{FENCE}", "---\ntitle: <% tp.x %>\n---\n",
    ],
    "queries": [
        f"{FENCE}dataview\nTABLE x\n{FENCE}", f"{FENCE}dataviewjs\ndv.x()\n{FENCE}", f"{FENCE} DataviewJS\nx\n{FENCE}",
        f"- {FENCE}dataviewjs\n  x\n  {FENCE}", f"> {FENCE}dataviewjs\n> x", "~~~dataviewjs\nx\n~~~",
        "`$= dv.pages()`", "a `= this.file.name` b", "``= x``", "` $=x`",
    ],
    "code_blocks": [
        f"{FENCE}run-python\nx\n{FENCE}", f"{FENCE}js-engine\nx\n{FENCE}", f"{FENCE}{{python}}\nx\n{FENCE}",
        f"{FENCE}execute\nx\n{FENCE}", f"{FENCE}button\nname x\n{FENCE}", f"{FENCE}python {{run}}\nx\n{FENCE}",
    ],
    "uris": [
        "[a](obsidian://open?vault=x)", "[a](file:///etc/passwd)", r"[a](\\host\share)", "<file:///x>",
        "[a](FILE:x)", "[a](ms-msdt:/x)", "[a](vscode://x)", "<a href='obsidian://x'>y</a>", "[a]: search-ms:query",
    ],
    "remote_images": [
        "![a](https://e.example/x.png)", "![](http://e/?q=data)", "![a [b](c) d](http://x)", "![a](//host/x)",
        "![a][r]\n\n[r]: http://x/y.png", "![r]\n\n[r]: <https://x>", "[![b](http://x)](http://y)",
        "<img src=http://x>", "<img alt='a' src='https://x/y'>", "<img srcset='a.png 1x, http://x 2x'>",
        "<video poster=http://x>", "![a](&#104;ttp://x)", "![a](<http://x>)", "![a\nb](http://x)",
    ],
    "controls": [
        "\x1b[31mred", "\x1b]0;title\x07", "\x9b31m", "a\x08b", "a\x00b", "a\rb", "\x7f", f"{FENCE}\n\x1b[0m\n{FENCE}",
        "end\r",
    ],
    "bidi": ["a\u202eb", "\u2066x\u2069", f"{FENCE}\n\u202e\n{FENCE}"],
}  # fmt: skip
# Notes that look like it and are ordinary.
LOOK_ALIKES: dict[str, str] = {
    "a fence of HTML": f"# HTML\n\n{FENCE}html\n<script>alert(1)</script>\n<img onerror=x>\n{FENCE}\n",
    "a longer fence": f"{FENCE}`md\n{FENCE}dataviewjs\nx\n{FENCE}\n[a](javascript:x)\n{FENCE}`\n",
    "a fence behind HTML": f"<br>\n\n<details>\nx\n\n{FENCE}html\n<script>x</script>\n{FENCE}\n%% a %%\n~~~\n<form>\n",
    "a fence of tildes": "~~~html\n<script>x</script>\n```\n<script>\n~~~\n",
    "code spans": "Use `<script>` or ``<img onerror=`x`>`` and `[a](javascript:x)`.",
    "comparison": "if a <b and c> d, or x<y on=z",
    "plain HTML": "a<br>b <u>c</u> <details><summary>x</summary></details> <kbd>Ctrl</kbd> <span class='a'>b</span>",
    "HTML tables": "<table><tr><td align='left'>x</td></tr></table>",
    "prose about scripts": "javascript: links are bad, so is a <scripted> event. An onclick = handler, obsidian://x",
    "links": "[a](https://example.org/javascript:x) [b](../notes/b.md) [c](data.md) [d]: https://x <https://e.example>",
    "local images": "![a](img/x.png) ![[x.png]] ![b](data:image/png;base64,iVBORw0KGgo=) <img src='x.png'>",
    "a remote link is no image": "[a](https://e/x.png) and text! [b](https://e) \\![c](https://e)",
    "front matter": "---\ntitle: Templater and knit: how to\ntags: [dataviewjs, script]\ncssclasses: wide\n---\ntext\n",
    "a rule": "text\n\n---\ntemplater: x\n---\n",
    "ERB in a fence": f"{FENCE}erb\n<% if x %>\n<%= y %>\n{FENCE}\n",
    "equations": "`a = b`, `==`, `=> x`, `x`=`y`, $a = b$",
    "fences": f"{FENCE}python\nprint(1)\n{FENCE}\n\n{FENCE}mermaid\ngraph\n{FENCE}\n\n{FENCE}text dataview\n{FENCE}\n",
    "dataview as a word": f"{FENCE}js\n// dataviewjs\n{FENCE}\ndataview is a plugin",
    "line ends": "a\r\nb\tc\r\n",
    "right to left": "\u0634\u0643\u0631\u0627 \u200f(x)\u200f \u05e9\u05dc\u05d5\u05dd",
    "emoji": "👩‍💻 ü \u4e16\u754c",
    "tasks and callouts": "- [ ] a\n- [x] b\n\n> [!note] c\n> d\n\n[^1]: note\n\n^block",
    "wiki links": "[[a|b]] ![[c#d]] #tag",
    "math": "$$\n\\frac{a}{b} < c\n$$\n",
    "comment": "%% hidden %% text",
}
EACH = [(name, note) for name, notes in HITS.items() for note in notes]


@pytest.mark.parametrize(("name", "note"), EACH)
def test_a_hit_is_made_harmless(name: str, note: str) -> None:
    rule = DETECTORS[name][0]
    for action in ("escape", "strip"):
        done = apply(note, every(action))
        assert not done.refused, action
        assert rule in {each.rule for each in done.warnings}
        assert done.text != note.encode()
        again = treated(done.text, every(action), "n.md")
        assert (again.text, again.warnings) == (done.text, ()), "once is enough"


@pytest.mark.parametrize(("name", "note"), EACH)
def test_a_hit_is_refused_or_only_named(name: str, note: str) -> None:
    only = replace(every("allow"), **cast(Any, {name: "refuse"}))
    assert {each.rule for each in apply(note, only).refused} == {DETECTORS[name][0]}
    warned = apply(note, replace(every("allow"), **cast(Any, {name: "warn"})))
    assert (warned.text, warned.refused) == (note.encode(), ())
    assert {(each.rule, each.severity) for each in warned.warnings} == {(DETECTORS[name][0], "warning")}


@pytest.mark.parametrize(("name", "note"), EACH)
def test_the_control_allowed_it_passes(name: str, note: str) -> None:
    done = apply(note, every("allow"))
    assert (done.text, done.refused, done.warnings) == (note.encode(), (), ())


@pytest.mark.parametrize("note", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_look_alikes_stay_as_they_are(note: str) -> None:
    done = apply(note, every("refuse"))
    assert (done.text, [str(each) for each in done.refused]) == (note.encode(), [])


@pytest.mark.parametrize(("name", "note"), EACH)
def test_what_was_there_before_is_the_persons_own(name: str, note: str) -> None:
    grown = f"{note}\n\nOne more line.\n"
    assert apply(f"{note}\n\n", every("refuse"), former=f"{note}\n\n").refused == ()
    if name not in ("html", "templates") or "<" not in note or grown.count("`") % 2 == 0:
        fresh = apply(grown + note, every("refuse"), former=f"{note}\n")
        assert fresh.refused or fresh.text == (grown + note).encode()


def test_appending_to_a_note_with_a_block_of_the_persons_own() -> None:
    block = f"# Mine\n\n{FENCE}dataviewjs\ndv.list()\n{FENCE}\n"
    assert apply(block + "\n- added\n", every("refuse"), former=block).refused == ()
    assert apply(block + "\n" + block, every("refuse"), former=block).refused
    assert apply(block.replace("dv.list()", "evil()"), every("refuse"), former=block).refused


def test_the_body_of_a_script_belongs_to_it() -> None:
    mine = "<script>\nmine()\n</script>\n"
    assert apply(f"{mine}text\n", every("refuse"), former=mine).refused == ()
    assert apply(mine.replace("mine", "theirs"), every("refuse"), former=mine).refused


def test_code_that_loses_its_fence_is_new() -> None:
    shown = f"{FENCE}html\n<script>x</script>\n{FENCE}\n"
    assert apply(shown + "more", every("refuse"), former=shown).refused == ()
    assert apply("<script>x</script>\n", every("refuse"), former=shown).refused


def test_escapes_are_readable() -> None:
    assert apply("<script>x</script>").text == b"&lt;script>x</script>"
    assert apply("[a](javascript:x)").text == b"[a](unsafe-javascript%3Ax)"
    assert apply("---\ntemplater: x\nb: 1\n---\n").text == b"---\n# templater: x\nb: 1\n---\n"
    assert apply("<% tp.x %>").text == b"< % tp.x %>"
    assert apply("`$= x`").text == b"`'$= x`"
    assert apply(f"{FENCE}dataviewjs\nx\n{FENCE}").text == f"{FENCE}text dataviewjs\nx\n{FENCE}".encode()
    assert apply("![a](http://x)").text == b"\\![a](http://x)"
    assert apply("\x1b[31m").text == b"\\x1b[31m"
    assert apply("\u202e").text == b"\\u202e"


def test_bytes_that_are_not_utf8_stay() -> None:
    note = b"\xff\xfe caf\xe9 <script>x</script> \x80"
    assert treated(note, ESCAPE, "n.md").text == note.replace(b"<script>", b"&lt;script>")


def test_other_text_is_only_searched_for_characters() -> None:
    note = b"<script>x</script>\n\x1b[31m\xe2\x80\xae"
    done = treated(note, ESCAPE, "n.csv", markdown=False)
    assert done.text == b"<script>x</script>\n\\x1b[31m\\u202e"


def test_too_much_to_examine() -> None:
    for note in (b"x" * (MAX_BYTES + 1), b"<script>" * 6000, b"<a href=x " * 30_000):
        assert [each.rule for each in treated(note, ESCAPE, "n.md").refused] == ["OUT211"]
        warned = treated(note, every("warn"), "n.md")
        assert ([each.rule for each in warned.warnings], warned.refused) == (["OUT211"], ())


@pytest.mark.parametrize(
    "evil",
    [b"](x", b"[", b"`", b"![", b"<a ", b"a``b`", b"---\n{,{,", b"<a onx='", b"[a][", b"<!", b"\n> ", b"&#", b"~~~\n"],
)
def test_near_matches_do_not_add_up(evil: bytes) -> None:
    """Nothing is timed: what is quadratic takes hours here."""
    note = (evil * (MAX_BYTES // len(evil)))[:MAX_BYTES]
    assert isinstance(treated(note, ESCAPE, "n.md"), Treated)


PIECES = [
    "<script>", "</script>", FENCE, FENCE + "dataviewjs", "`", "``", "\n", "\n\n", "[a](", "javascript:", ")", "!",
    "<% ", "%>", "> ", "- ", "|", "\\", "---\n", "templater: x\n", "<!--", "-->", "<img src='http://x'>", "text ",
    "$$", "%%", "\x1b", "[[",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_whatever_is_put_together_ends_harmless_or_refused(pieces: list[str]) -> None:
    done = apply("".join(pieces))
    if not done.refused:
        assert not treated(done.text, every("refuse"), "n.md").refused


@given(st.text(alphabet="ab` ~\n|<$%[]\\>-", max_size=80))
def test_code_lies_within_the_note_and_in_order(text: str) -> None:
    code = code_in(text.encode())
    for spans in (code.fences, code.spans):
        places = [place for span in spans for place in (span.start, span.end)]
        assert places == sorted(places)
        assert all(0 <= place <= len(text.encode()) for place in places)


def test_every_detector_has_a_rule_and_a_field() -> None:
    assert sorted(DETECTORS) == sorted(NAMES) == sorted(HITS)
    assert {rule for rule, _ in DETECTORS.values()} == {rule for rule in RULES if rule.startswith("OUT2")} - {"OUT211"}
