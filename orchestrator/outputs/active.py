"""Content in a Markdown note that acts on whoever opens it: what there is, and how each is made harmless.

A detector finds ``Active`` spans. Each covers its whole construct (a script with its body, a code block to its end), so
that comparing spans tells whether a person's own content was left as it was; and each knows the edit that shows it as
text (escape) and the one that removes it (strip). Notes are bytes throughout; RE2 does the searching.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.outputs.linear import linear
from orchestrator.outputs.markdown import Code, code_in, front_matter

_ADDRESS_BYTES: Final = 400  # of an address that are looked at; the scheme is at its begin


@dataclass(frozen=True, slots=True)
class Edit:
    start: int
    end: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Active:
    start: int
    end: int
    escape: Edit
    strip: Edit


class TooMuch(Exception):  # noqa: N818 - control flow: the note is not examined
    """More to look at than a person writes."""


Detector = Callable[[bytes, Code], Iterator[Active]]


# --- HTML ----------------------------------------------------------------------------------------------------------

_TAGS: Final = linear(
    rb"(?i)<(?:script|iframe|frame|frameset|object|embed|applet|form|input|button|textarea|select|base|meta|link|style"
    rb"|portal|template|foreignobject|animate|animatetransform|set|dialog|webview)(?:[\s/>]|$)"
)
_HANDLER: Final = rb"[\s/\"'](?:on[a-z]{3,30}|formaction|srcdoc)\s*="
_HANDLERS: Final = linear(
    rb"(?i)<[a-z](?:[^<>]*" + _HANDLER + rb"|(?:[^<>\"']|\"[^\"]*\"|'[^']*')*?" + _HANDLER
    + rb"|[^<\n]*[\"'][^<\n]*" + _HANDLER + rb")"
)  # fmt: skip
_STARTS: Final = linear(rb"(?i)<([a-z][a-z0-9:-]*)[^<]*?(?:href|src|srcset|action|data|poster|background|style)\s*=")
_ATTRIBUTES: Final = linear(
    rb"(?i)[\s/\"'](href|src|srcset|xlink:href|action|data|poster|background|style)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)"
)
_TAG_BYTES: Final = 4096  # of one tag that are looked at
_MAX_LOOKS: Final = 20_000
_ELEMENT: Final = re.compile(rb"(?i)<(script|style|iframe|object)(?![a-z])")
_MEDIA: Final = frozenset({b"img", b"image", b"video", b"audio", b"source", b"track", b"input"})
_STYLE: Final = re.compile(rb"(?i)url\s*\(|expression|@import|behavior|-moz-binding|\\")


def _tag(note: bytes, start: int) -> Active:
    end = note.find(b">", start, start + _TAG_BYTES) + 1 or min(len(note), start + _TAG_BYTES)
    return Active(start, end, Edit(start, start + 1, b"&lt;"), Edit(start, end, b""))


def _html(note: bytes, code: Code) -> Iterator[Active]:
    ends: dict[bytes, list[int]] = {}  # element -> where one may end
    for program in (_TAGS, _HANDLERS):
        for match in program.finditer(note):
            if not code.covers(match.start()):
                yield _with_body(_tag(note, match.start()), note, ends)
    for start, _, name, value in _attributes(note, code):
        if name == b"style" and _STYLE.search(html.unescape(value.decode("utf-8", "replace")).encode()):
            yield _tag(note, start)


def _with_body(tag: Active, note: bytes, ends: dict[bytes, list[int]]) -> Active:
    found = _ELEMENT.match(note, tag.start)
    if found is None:
        return tag
    name = found[1].lower()
    if name not in ends:
        ends[name] = [match.end() for match in re.finditer(b"(?i)</" + name + b"[^<>]{0,100}>?", note)]
    index = bisect_right(ends[name], tag.end)
    end = ends[name][index] if index < len(ends[name]) else len(note)
    return Active(tag.start, end, tag.escape, Edit(tag.start, end, b""))


def _attributes(note: bytes, code: Code) -> Iterator[tuple[int, bytes, bytes, bytes]]:
    """Each attribute that may hold an address or a style: where its tag begins, the tag, its name, its value."""
    for count, match in enumerate(_STARTS.finditer(note)):
        if count >= _MAX_LOOKS:
            raise TooMuch
        start = match.start()
        if code.covers(start):
            continue
        stop = note.find(b"<", start + 1, start + _TAG_BYTES)
        tag = note[start : stop if stop > 0 else start + _TAG_BYTES]
        for each in _ATTRIBUTES.finditer(tag):
            yield start, match.group(1).lower(), each.group(1).lower(), each.group(2).strip(b"\"'")


# --- addresses -----------------------------------------------------------------------------------------------------

_LINKS: Final = linear(rb"\]\(\s*<?([^)\n]+)|(?m:^[ \t>]*\[[^\]\n]+\]:\s*<?(\S+))|<([a-zA-Z][^\s<>]+)>")
_MAX_LINKS: Final = 50_000
_RUNS: Final = re.compile(
    r"(?:javascript|vbscript|livescript|mocha):|data:(?!image/(?:png|jpe?g|gif|webp|avif|bmp)[;,])"
)
_SYSTEM: Final = re.compile(
    r"(?:obsidian|file|shell|search-ms|search|ms-[a-z-]+|vscode|vscode-insiders|smb|jar|view-source):|\\\\"
)
_REMOTE: Final = re.compile(r"(?:https?|ftp):|//|\\\\")
_IGNORED: Final = re.compile("[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028\u2029\u2060\ufeff]+")


def scheme_text(address: bytes) -> str:
    """The begin of an address as a browser would read it: entities and Markdown's backslashes undone, no blanks."""
    text = html.unescape(address[:_ADDRESS_BYTES].decode("utf-8", "replace"))
    text = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text) if not text.startswith("\\\\") else text
    return _IGNORED.sub("", text).lower()


def _addresses(note: bytes, code: Code) -> Iterator[tuple[int, int, int, str]]:
    """Where a link begins, its address begins and ends, and how it reads."""
    for count, match in enumerate(_LINKS.finditer(note)):
        if count >= _MAX_LINKS:
            raise TooMuch
        group = next(number for number in (1, 2, 3) if match.group(number) is not None)
        if not code.covers(match.start()):
            yield match.start(), match.start(group), match.end(group), scheme_text(match.group(group))


def _inert(start: int, first: int, last: int, note: bytes) -> Active:
    """The address without its scheme's colon leads nowhere."""
    address = note[first:last]
    colon = re.search(rb"\\?:|&(?:colon|#0*58|#[xX]0*3[aA]);?", address)
    at, end = (first, last) if colon is None else (first + colon.start(), first + colon.end())
    text = b"unsafe-" + address[: at - first] + b"%3A" if colon is not None else b"unsafe"
    return Active(start, last, Edit(first, end, text), Edit(first, last, b"#"))


def _by_scheme(pattern: re.Pattern[str]) -> Detector:
    def found(note: bytes, code: Code) -> Iterator[Active]:
        for start, first, last, reads in _addresses(note, code):
            if pattern.match(reads):
                yield _inert(start, first, last, note)
        for start, _, name, value in _attributes(note, code):
            if name != b"style" and pattern.match(scheme_text(value)):
                yield _tag(note, start)

    return found


# --- images --------------------------------------------------------------------------------------------------------

_BRACKETS: Final = linear(rb"\\.|!?\[|\]\(\s*<?|\]|\n[ \t]*\n")
_REFERENCES: Final = linear(rb"\\.|!\[([^\]\n]*)\](?:\[([^\]\n]*)\])?")
_DEFINITIONS: Final = linear(rb"(?m)^[ \t>]*\[([^\]\n]+)\]:\s*<?(\S+)")
_SOME_REMOTE: Final = linear(rb"(?i)//|https?|ftp|\\\\|&#|&sol|&col")


def _images(note: bytes, code: Code) -> Iterator[Active]:
    if not _SOME_REMOTE.search(note):
        return
    if b"![" in note:
        yield from (_image(at) for at in _inline_images(note) if not code.covers(at))
        remote = {
            match.group(1).strip().lower()
            for match in _DEFINITIONS.finditer(note)
            if _REMOTE.match(scheme_text(match.group(2)))
        }
        for match in _REFERENCES.finditer(note) if remote else ():
            label = match.group(2) or match.group(1) or b""
            if label.strip().lower() in remote and not code.covers(match.start()):
                yield _image(match.start(), match.end())
    for start, tag, name, value in _attributes(note, code):
        fetched = tag in _MEDIA and name in (b"src", b"srcset", b"poster", b"href", b"xlink:href")
        if fetched and any(_REMOTE.match(scheme_text(each)) for each in value.split(b",")):  # a srcset has several
            yield _tag(note, start)


def _image(start: int, end: int = 0) -> Active:
    return Active(start, end or start + 2, Edit(start, start + 1, b"\\!"), Edit(start, end or start + 2, b"["))


def _inline_images(note: bytes) -> Iterator[int]:
    """Where images with a remote address begin. Brackets are matched in one pass; where they do not match up, the
    paragraph's last image is taken for the one that is meant."""
    opened: list[int] = []
    last = -1
    for match in _BRACKETS.finditer(note):
        token = match.group()
        if token in (b"[", b"!["):
            opened.append(match.start())
            last = match.start() if token == b"![" else last
        elif token.startswith(b"]"):
            start = opened.pop() if opened else last
            is_image = token != b"]" and start >= 0 and note[start : start + 1] == b"!"
            if is_image and _REMOTE.match(scheme_text(note[match.end() : match.end() + _ADDRESS_BYTES])):
                yield start
        elif token.startswith(b"\n"):
            opened, last = [], -1


# --- what plugins run ----------------------------------------------------------------------------------------------

_KEYS: Final = re.compile(
    rb"""(?im)^(?:[^\n#{]*\{(?:[^\n#]*,)?[ \t]*)?["']?(?:templater[\w-]*|js-engine[\w-]*|dataviewjs|customjs"""
    rb"""|javascript|knit|excalidraw-onload-script|on-?load|on-?open|startup(?:-?script)?|header-includes)"""
    rb"""["']?[ \t]*:|^(?![ \t]*\#)[^\n]*!!(?:python|ruby|js|perl)/"""
)
_TEMPLATES: Final = linear(rb"<%")
_SURE_TEMPLATE: Final = re.compile(rb"<%(?:[*+~]|[-_]?[^%]{0,200}\btp\s{0,9}\.)")
_INLINE: Final = re.compile(rb"`+[ \t]*(\$=|=)[ \t]*[^\s=`>]")
_BLOCK_BYTES: Final = 2**16  # of a block whose end is in doubt
_LANGUAGE: Final = linear(rb"(?m)^[ \t>*+.)\d-]*(`{3,}|~{3,})[ \t]*([^\s`~][^\n]*)$")
_QUERY: Final = re.compile(rb"(?i)\{?\.?dataview(?:js)?(?:[\s{},]|\Z)")
_RUNNABLE: Final = re.compile(
    rb"(?i)(?:run-|js-engine|execute|templater|customjs|meta-bind-js|jsx:|button(?:\s|\Z)|\{[a-z]"
    rb"|[a-z+#]+[ \t]*\{[^}\n]{0,200}(?:execute|run|cmd)\b)"
)


def _front_matter(note: bytes, code: Code) -> Iterator[Active]:
    body = front_matter(note)
    last = 0
    for match in _KEYS.finditer(note, 0, body) if body else ():
        if match.start() < last:
            continue
        start = note.rfind(b"\n", 0, match.start() + 1) + 1
        last = note.find(b"\n", match.end()) + 1
        while last < body and note[last : last + 1] in (b" ", b"\t", b"-") and not note.startswith(b"---", last):
            last = note.find(b"\n", last) + 1
        lines = note[start:last].removesuffix(b"\n").split(b"\n")
        commented = b"\n".join(b"# " + line for line in lines) + b"\n"
        yield Active(start, last, Edit(start, last, commented), Edit(start, last, b""))


def _templates(note: bytes, code: Code) -> Iterator[Active]:
    """Templater looks for its marks everywhere, in code too; there, only what no other language has counts."""
    end = 0
    for match in _TEMPLATES.finditer(note):
        start = match.start()
        if code.covers(start) and not _SURE_TEMPLATE.match(note, start, start + 300):
            continue
        if end < start + 4:
            end = note.find(b"%>", start + 2) + 2
            end = len(note) + 4 if end < 2 else end
        yield Active(start, min(end, len(note)), Edit(start, start + 2, b"< %"), Edit(start, min(end, len(note)), b""))


def _queries(note: bytes, code: Code) -> Iterator[Active]:
    for span in code.spans:
        if found := _INLINE.match(note, span.start, span.end):
            yield Active(
                span.start, span.end, Edit(found.start(1), found.start(1), b"'"), Edit(span.start, span.end, b"")
            )
    yield from _blocks(_QUERY)(note, code)


def _blocks(pattern: re.Pattern[bytes]) -> Detector:
    def found(note: bytes, code: Code) -> Iterator[Active]:
        starts = [fence.start for fence in code.fences]
        for match in _LANGUAGE.finditer(note):
            if not pattern.match(match.group(2)):
                continue
            index = bisect_right(starts, match.start()) - 1
            fence = code.fences[index] if index >= 0 and match.start() < code.fences[index].end else None
            if fence is not None and fence.start != match.start():
                continue  # a line of another block: shown, not run
            end = fence.end if fence is not None else _block_end(note, match.end(), match.group(1))
            first = match.start(2)
            yield Active(match.start(), end, Edit(first, first, b"text "), Edit(match.start(), end, b""))

    return found


def _block_end(note: bytes, start: int, mark: bytes) -> int:
    closing = note.find(b"\n" + mark, start, start + _BLOCK_BYTES)
    return closing + 1 + len(mark) if closing >= 0 else min(len(note), start + _BLOCK_BYTES)


# --- characters ----------------------------------------------------------------------------------------------------

_CONTROLS: Final = linear(rb"(?:[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f])+|\r+(?:[^\r\n]|$)")
_BIDI: Final = linear(rb"\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]")


def _characters(program: Any) -> Detector:
    def found(note: bytes, code: Code) -> Iterator[Active]:
        for match in program.finditer(note):
            start, end, text = match.start(), match.end(), match.group()
            if text.startswith(b"\r") and not text.endswith(b"\r"):
                end -= 1  # the character behind it is none of it
                text = text[:-1]
            shown = "".join(_shown(character) for character in text.decode("utf-8", "replace"))
            yield Active(start, end, Edit(start, end, shown.encode()), Edit(start, end, b""))

    return found


def _shown(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) <= 0xFF else f"\\u{ord(character):04x}"


# Field of ContentRules -> rule, and what finds it. In the order in which they are applied.
DETECTORS: Final[dict[str, tuple[str, Detector]]] = {
    "controls": ("OUT209", _characters(_CONTROLS)),
    "bidi": ("OUT210", _characters(_BIDI)),
    "frontmatter": ("OUT203", _front_matter),
    "templates": ("OUT204", _templates),
    "queries": ("OUT205", _queries),
    "code_blocks": ("OUT206", _blocks(_RUNNABLE)),
    "html": ("OUT201", _html),
    "links": ("OUT202", _by_scheme(_RUNS)),
    "uris": ("OUT207", _by_scheme(_SYSTEM)),
    "remote_images": ("OUT208", _images),
}
ANY_TEXT: Final = ("controls", "bidi")  # looked for in every text file; the others in Markdown
_ACTIVE_AT_ALL: Final = linear(
    rb"[<`~\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]|\]\(|\]:|!\[|^(?:\xef\xbb\xbf)?---"
)


def prepared(note: bytes) -> Code | None:
    """What is code in the note; None where no detector can find anything."""
    return code_in(note) if _ACTIVE_AT_ALL.search(note) else None
