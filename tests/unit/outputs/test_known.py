"""The operator's values: found in every coat of the matrix, and nowhere else."""

from __future__ import annotations

import base64
import codecs
import os
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import SettingsError
from orchestrator.outputs.hits import TooMany
from orchestrator.outputs.known import MAX_HITS, MAX_VALUES, KnownValues, known_values, read_values
from orchestrator.settings import Settings
from tests.support.secret_samples import BENIGN, CANARY, OTHER

RAW = CANARY.encode()
KNOWN = KnownValues.of([("canary", CANARY), ("known value", OTHER)])

Coat = Callable[[bytes], bytes]
COATS: dict[str, Coat] = {
    "as it is": lambda raw: raw,
    "other case": lambda raw: raw.swapcase(),
    "reversed": lambda raw: raw[::-1],
    "base64": base64.b64encode,
    "base64 behind one byte": lambda raw: base64.b64encode(b"k" + raw + b"tail"),
    "base64 behind two bytes": lambda raw: base64.b64encode(b"kk" + raw + b"tail"),
    "base64 without padding": lambda raw: base64.b64encode(raw).rstrip(b"="),
    "url-safe base64": lambda raw: base64.urlsafe_b64encode(b"?>" + raw),
    "folded base64": lambda raw: base64.encodebytes(b"x" * 50 + raw + b"y" * 50),
    "base32": base64.b32encode,
    "base32 behind three bytes": lambda raw: base64.b32encode(b"abc" + raw + b"tail"),
    "hex": lambda raw: raw.hex().encode(),
    "upper-case hex": lambda raw: raw.hex().upper().encode(),
    "spaced hex": lambda raw: raw.hex(" ").encode(),
    "percent-encoded": lambda raw: urllib.parse.quote(raw).encode(),
    "percent-encoded as a whole": lambda raw: b"".join(b"%%%02X" % byte for byte in raw),
    "quoted-printable": lambda raw: raw.replace(b"=", b"=3D").replace(b"+", b"=2B"),
    "backslash x": lambda raw: b"".join(b"\\x%02x" % byte for byte in raw),
    "backslash u": lambda raw: b"".join(b"\\u%04x" % byte for byte in raw),
    "some backslashes": lambda raw: raw.replace(b"/", b"\\u002f").replace(b"+", b"\\x2b"),
    "octal": lambda raw: b"".join(b"\\%03o" % byte for byte in raw),
    "HTML entities": lambda raw: b"".join(b"&#%d;" % byte for byte in raw),
    "HTML hex entities": lambda raw: b"".join(b"&#x%x;" % byte for byte in raw),
    "list of codes": lambda raw: str(list(raw)).encode(),
    "rot13": lambda raw: codecs.encode(raw.decode(), "rot13").encode(),
    "one character a line": lambda raw: b"\n".join(bytes([byte]) for byte in raw),
    "in JSON strings": lambda raw: b'["' + raw[:9] + b'", "' + raw[9:] + b'"]',
    "zero-width joiners": lambda raw: "\u200d".join(raw.decode()).encode(),
    "UTF-16": lambda raw: raw.decode().encode("utf-16-le"),
    "base64 of base64": lambda raw: base64.b64encode(b"q" + base64.b64encode(b"zz" + raw + b"t") + b"r"),
    "base64 of hex": lambda raw: base64.b64encode(raw.hex().encode()),
    "hex of base64": lambda raw: base64.b64encode(raw).hex().encode(),
    "base64 reversed": lambda raw: base64.b64encode(raw)[::-1],
    "base64 of reversed": lambda raw: base64.b64encode(raw[::-1]),
    "hex of rot13": lambda raw: codecs.encode(raw.decode(), "rot13").encode().hex().encode(),
}


@pytest.mark.parametrize("coat", COATS)
@pytest.mark.parametrize("before", [b"", b"a note\xff: ", "ü \u4e16 ".encode()])
def test_each_coat_is_seen_through(coat: str, before: bytes) -> None:
    worn = COATS[coat](RAW)
    hits = KNOWN.find(before + worn + b" after")
    assert {(hit.rule, hit.kind) for hit in hits} == {("OUT101", "canary")}
    covered = {index for hit in hits for index in range(hit.start, hit.end)}
    letters = [index for index, byte in enumerate(worn) if chr(byte).isalnum()]
    inside = [index for index in letters if len(before) + index in covered]
    assert len(inside) >= len(letters) - (72 * 2 if "fold" in coat or "behind" in coat or "of base64" in coat else 3)


@pytest.mark.parametrize("coat", ["gzip", "other letters between", "two layers of base32"])
def test_what_is_documented_as_not_found(coat: str) -> None:
    """So that the documentation is changed when this does."""
    import gzip

    worn = {
        "gzip": base64.b64encode(gzip.compress(RAW)),
        "other letters between": b"q".join(bytes([byte]) for byte in RAW),
        "two layers of base32": base64.b32encode(base64.b32encode(RAW)),
    }[coat]
    assert KNOWN.find(worn) == []


@pytest.mark.parametrize("text", BENIGN.values(), ids=BENIGN)
def test_ordinary_output_has_none(text: str) -> None:
    assert KNOWN.find(text.encode()) == []


def test_part_of_a_value_is_none() -> None:
    assert KNOWN.find(RAW[:12] + b" and then " + RAW[16:]) == []


def test_a_long_value_is_covered_to_its_end() -> None:
    value = "".join(f"{number:03}x" for number in range(100))
    (hit,) = KnownValues.of([("canary", value)]).find(b"<" + value.encode() + b">")
    assert (hit.start, hit.end) == (1, 1 + len(value))


def test_values_that_overlap_and_repeat_are_all_found() -> None:
    text = (CANARY + OTHER + CANARY).encode()
    assert [hit.kind for hit in KNOWN.find(text)] == ["canary", "known value", "canary"]


@given(st.binary(max_size=300), st.sampled_from(sorted(COATS)), st.binary(max_size=300))
def test_whatever_stands_around_it(before: bytes, coat: str, after: bytes) -> None:
    worn = COATS[coat](RAW)
    assert KNOWN.find(before + b"\n..\n" + worn + b"\n..\n" + after)


@given(st.binary(max_size=500))
def test_nothing_is_found_in_noise(noise: bytes) -> None:
    assert KNOWN.find(noise) == []


def test_a_flood_is_not_counted_to_its_end() -> None:
    with pytest.raises(TooMany):
        KNOWN.find(RAW * (MAX_HITS + 1))


def test_where_a_value_may_have_begun() -> None:
    assert KNOWN.unfinished(b"text and Tang", 4) == 9
    assert KNOWN.unfinished(b"text and Tan", 4) is None
    assert KNOWN.unfinished(b"text\nT a\nn-g", 4) == 5
    assert KnownValues().unfinished(b"text", 4) is None


def test_nothing_shows_the_values() -> None:
    settings = Settings(canaries=(CANARY,))
    for shown in (repr(KNOWN), str(KNOWN), repr(settings), settings.model_dump_json(), str(settings)):
        assert CANARY not in shown
        assert "Velvet" not in shown


def test_a_mistake_in_the_settings_does_not_show_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="canaries") as caught:
        Settings(canaries=CANARY)
    assert CANARY not in str(caught.value)
    with pytest.raises(SettingsError) as refused:
        KnownValues.of([("canary", "sh0rt")])
    assert "sh0rt" not in str(refused.value)
    assert "at least 8" in refused.value.hint


def test_too_many_values() -> None:
    with pytest.raises(SettingsError, match=str(MAX_VALUES)):
        KnownValues.of([("canary", f"value number {number:05}") for number in range(MAX_VALUES + 1)])


# --- the file


def secrets_file(tmp_path: Path, content: bytes, mode: int = 0o600) -> Path:
    path = tmp_path / "secrets"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_the_file_is_read_line_by_line(tmp_path: Path) -> None:
    path = secrets_file(tmp_path, f"{CANARY}\r\n\n# {OTHER}\n".encode())
    assert read_values(path) == [CANARY, f"# {OTHER}"]
    found = known_values(Settings(canaries=(CANARY,), known_secrets_file=path)).find(f"{OTHER}".encode())
    assert [hit.kind for hit in found] == ["known value"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SettingsError, match="open to others") as caught:
        read_values(secrets_file(tmp_path, RAW, mode))
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(("content", "message"), [(b"\xff\xfe", "UTF-8"), (b"x" * (2**20 + 1), "larger")])
def test_a_file_that_is_no_list_of_values(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_values(secrets_file(tmp_path, content))


def test_no_file_and_a_fifo(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_values(tmp_path / "missing")
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(SettingsError, match="open to others"):
        read_values(tmp_path / "fifo")
