"""One table of what JSON from outside may not say, and the three ways in: manifest, ``--inputs``, a skill's output.

Integers are exact up to 308 digits, so beyond 2**63: Python reads them, and each still converts to a double. What is
narrower is the schema's to say (``maximum``).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli.run import read_inputs
from orchestrator.errors import InputsError, ManifestError
from orchestrator.manifest import load_manifest
from orchestrator.manifest.load import MAX_MANIFEST_BYTES, MAX_MANIFEST_DEPTH, MAX_MANIFEST_NODES
from orchestrator.strictjson import MAX_INTEGER_DIGITS, MAX_NODES
from orchestrator.validation.inputs import MAX_INPUT_BYTES, MAX_INPUT_DEPTH
from orchestrator.validation.outputs import MAX_OUTPUT_DEPTH, parse_output

MANIFEST = b'{"manifest_version":1,"name":"s","version":"1.0.0","code":"def main(v=0): pass","metadata":%s}'
SKILL = load_manifest(MANIFEST % b"{}")
OUTPUT_BYTES = 8 * 2**20

# -- the ways in: each takes the JSON text of one value "v" of an object, and says what is wrong with it, "" for nothing


def by_manifest(value: bytes, directory: Path) -> str:
    file = directory / "skill.json"
    file.write_bytes(MANIFEST % (b'{"v":' + value + b"}"))
    try:
        load_manifest(file)
    except ManifestError as error:
        return "; ".join(map(str, error.problems))
    return ""


def by_inputs(value: bytes, directory: Path) -> str:
    file = directory / "inputs.json"
    file.write_bytes(b'{"v":' + value + b"}")
    try:
        read_inputs(f"@{file}")
    except InputsError as error:
        return error.message
    return ""


def by_output(value: bytes, _directory: Path) -> str:
    _, problems = parse_output(b'{"v":' + value + b"}", SKILL, OUTPUT_BYTES)
    return "; ".join(map(str, problems))


WAYS = {"manifest": by_manifest, "inputs": by_inputs, "output": by_output}
DEPTH = {"manifest": MAX_MANIFEST_DEPTH - 2, "inputs": MAX_INPUT_DEPTH - 1, "output": MAX_OUTPUT_DEPTH - 1}
BYTES = {"manifest": MAX_MANIFEST_BYTES, "inputs": MAX_INPUT_BYTES, "output": OUTPUT_BYTES}
NODES = {"manifest": MAX_MANIFEST_NODES, "inputs": MAX_NODES, "output": MAX_NODES}

REFUSED = [
    ("duplicate key", b'{"a":1,"a":2}', "stands twice"),
    ("duplicate key, escaped", b'{"a":1,"\\u0061":2}', "stands twice"),
    ("NaN", b"NaN", "NaN is not JSON"),
    ("Infinity", b"[Infinity]", "Infinity is not JSON"),
    ("minus Infinity", b"-Infinity", "-Infinity is not JSON"),
    ("a float that is infinite", b"1e999", "too large for a double"),
    ("an integer of 309 digits", b"9" * (MAX_INTEGER_DIGITS + 1), "more than 308 digits"),
    ("an integer that Python would refuse", b"9" * 5000, "more than 308 digits"),
    ("a lone high surrogate", b'"\\ud800"', "lone surrogate"),
    ("a lone low surrogate in a key", b'{"\\udc00":1}', "lone surrogate"),
    ("a surrogate as bytes", b'"\xed\xa0\x80"', "not UTF-8"),
    ("bytes that are not UTF-8", b'"\xff"', "not UTF-8"),
    ("an overlong form", b'"\xc0\xaf"', "not UTF-8"),
    ("trailing garbage", b"1} x", "not JSON"),
    ("a second document", b"1}{", "not JSON"),
    ("cut off", b'"abc', "not JSON"),
    ("a comment", b"1 /* one */", "not JSON"),
    ("single quotes", b"'a'", "not JSON"),
    ("a trailing comma", b"[1,]", "not JSON"),
    ("a leading zero", b"01", "not JSON"),
    ("hexadecimal", b"0x10", "not JSON"),
    ("a raw control character", b'"a\nb"', "not JSON"),
    ("a NUL", b"\0", "not JSON"),
    ("nesting without end", b"[" * 50_000, "nested deeper"),
]  # fmt: skip

ACCEPTED = [
    ("2**63", str(2**63).encode()),
    ("an integer of 308 digits", b"9" * MAX_INTEGER_DIGITS),
    ("minus zero", b"-0.0"),
    ("a pair of surrogates", b'"\\ud83d\\ude00"'),
    ("an escaped NUL", b'"\\u0000"'),
    ("an underflow", b"1e-999"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("raw", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(way: str, raw: bytes, words: str, tmp_path: Path) -> None:
    assert words in WAYS[way](raw, tmp_path)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("raw", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_accepted(way: str, raw: bytes, tmp_path: Path) -> None:
    assert WAYS[way](raw, tmp_path) == ""


@pytest.mark.parametrize("way", WAYS)
def test_depth_size_and_number_of_values(way: str, tmp_path: Path) -> None:
    say: Callable[[bytes, Path], str] = WAYS[way]
    for brackets in (b"[]", b"{}"):
        inner = b"[" * DEPTH[way] + b"]" * DEPTH[way]
        assert say(inner, tmp_path) == ""
        assert "nested deeper" in say(
            brackets[:1] + (b'"k":' if brackets == b"{}" else b"") + inner + brackets[1:], tmp_path
        )
    over = say(b'"' + b"x" * BYTES[way] + b'"', tmp_path)
    assert "limit" in over or "too large" in over
    assert "more than" in say(b"[" + b"0," * (NODES[way] - 1) + b"0]", tmp_path)


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
def test_a_byte_order_mark(start: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(start + MANIFEST % b"{}")
    with pytest.raises(ManifestError) as refused:
        load_manifest(file)
    assert any(words in str(refused.value.problems[0]) for words in ("byte order mark", "not UTF-8"))
    file.write_bytes(start + b"{}")
    with pytest.raises(InputsError, match=r"byte order mark|not UTF-8"):
        read_inputs(f"@{file}")
    value, problems = parse_output(start + b"{}", SKILL, 100)
    assert value is None
    assert problems


def test_python_alone_would_take_many_of_them() -> None:
    """The control: the table is about what ``json.loads`` lets through, not only about what it refuses as well."""
    taken = []
    for name, raw, _ in REFUSED:
        try:
            json.loads(raw)
            taken.append(name)
        except (ValueError, RecursionError):
            pass
    assert len(taken) >= 8
