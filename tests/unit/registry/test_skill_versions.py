"""Which version a name means: Semantic Versioning's order, and what "1.2" covers."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.manifest.schema import compiled_manifest_schema, manifest_schema
from orchestrator.registry.versions import Reference, Version, newest, parse_reference, parse_version

# Section 11 of the specification, and what this project adds: build metadata decides between equals.
ASCENDING = (
    "0.9.10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
    "1.0.0-rc.1", "1.0.0", "1.0.0+a", "1.0.0+b", "1.0.1", "1.2.0", "1.10.0", "2.0.0-0", "2.0.0", "10.0.0",
)  # fmt: skip
NUMBER = st.integers(0, 12).map(str)
WORD = st.one_of(st.integers(0, 12).map(str), st.text("ab-1", min_size=1, max_size=3))
VERSIONS = st.builds(
    lambda core, pre, build: ".".join(core) + "-" * bool(pre) + ".".join(pre) + "+" * bool(build) + ".".join(build),
    st.tuples(NUMBER, NUMBER, NUMBER), st.lists(WORD, max_size=3), st.lists(WORD, max_size=2),
)  # fmt: skip


def test_the_order_is_the_specifications() -> None:
    versions = [parse_version(text) for text in ASCENDING]
    assert all(a < b for a, b in itertools.pairwise(versions))
    backwards = versions[::-1]
    assert sorted(backwards) == versions


@given(VERSIONS, VERSIONS, VERSIONS)
def test_it_is_a_total_order(a: str, b: str, c: str) -> None:
    x, y, z = map(parse_version, (a, b, c))
    assert (x < y) + (y < x) + (x.text == y.text) == 1
    assert not (x < y < z) or x < z


@given(VERSIONS)
def test_what_the_manifest_takes_for_a_version_is_one(text: str) -> None:
    document = {"manifest_version": 1, "name": "n", "version": text, "code": ""}
    problems = [each for each in compiled_manifest_schema().problems(document) if each.pointer == "/version"]
    assert problems == []
    assert parse_version(text).text == text
    assert parse_reference(f"n@{text}") == Reference("n", text)


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "01.2.3", "1.2.3-", "1.2.3+", "1.2.3 ", "1.2.3\n", "v1.2.3", "１.2.3", "1.2.3." * 40]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no semantic version"):
        parse_version(text)


def chosen(reference: str, *versions: str) -> str | None:
    found = parse_reference(reference)
    assert found is not None
    version = newest(found, map(parse_version, versions))
    return None if version is None else version.text


def test_what_a_reference_means() -> None:
    there = ("1.2.3", "1.2.10", "1.3.0-rc.1", "1.20.0", "2.0.0-rc.1", "0.9.0")
    assert chosen("tidy", *there) == "1.20.0"
    assert chosen("tidy@1", *there) == "1.20.0"
    assert chosen("tidy@1.2", *there) == "1.2.10"
    assert chosen("tidy@1.2.3", *there) == "1.2.3"
    assert chosen("tidy@2", *there) is None
    assert chosen("tidy@2.0.0-rc.1", *there) == "2.0.0-rc.1"
    assert chosen("tidy@1.3", *there) is None
    assert chosen("tidy@1.2.3", "1.2.3+build") is None


@given(st.lists(VERSIONS, min_size=1, max_size=8, unique=True))
def test_a_pre_release_is_only_meant_when_it_is_written_out(texts: list[str]) -> None:
    versions = [parse_version(text) for text in texts]
    found = newest(Reference("n"), versions)
    releases = [version for version in versions if not version.pre]
    assert found == max(releases, default=None)
    assert {newest(Reference("n", text), versions) for text in texts} == set(versions)


@pytest.mark.parametrize(
    "text",
    ["", "a/b", "@1", "a@", "a@1.", "a@1.2-rc", "a@x", "a@1@2", "a b", "-a", "a-", "a\n", "a@1.2.3\n", "a" * 200],
)  # fmt: skip
def test_what_is_no_reference(text: str) -> None:
    assert parse_reference(text) is None


def test_names_are_those_of_the_manifest() -> None:
    """The schema's pattern, and this module's, take the same names."""
    pattern = manifest_schema()["properties"]["name"]["pattern"].strip("^$")
    for name in ("a", "A.b_c-9", "summarise-inbox", ".a", "a.", "a b", "é", "a/b", "_", ""):
        assert (parse_reference(f"{name}@1") is not None) == bool(re.fullmatch(pattern, name)), name


def test_a_version_shows_how_it_was_written() -> None:
    assert Version("1.0.0", (1, 0, 0)) == parse_version("1.0.0")
