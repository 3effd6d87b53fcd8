"""YAML 1.2 by the core schema (YAML 1.2.2 §10.3.2), with places, bounds and clear refusals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootplex.source import yaml12
from rootplex.source.finding import Unreadable
from rootplex.source.place import Span
from rootplex.source.yaml12 import load_yaml, plain_scalar

# The specification's own examples of the core schema, and the words that YAML 1.1 read otherwise.
CORE = [
    ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None),
    ("true", True), ("True", True), ("FALSE", False),
    ("0", 0), ("-19", -19), ("+12", 12), ("0o7", 7), ("0x3A", 0x3A), ("010", 10),
    ("0.", 0.0), ("-0.0", -0.0), (".5", 0.5), ("+12e03", 12000.0), ("-2E+05", -200000.0),
    (".inf", math.inf), ("-.Inf", -math.inf), ("+.INF", math.inf), (".iNF", ".iNF"), ("1e400", math.inf),
    ("0o8", "0o8"), ("-0x1", "-0x1"), ("+", "+"), (".", "."), ("-.nan", "-.nan"), ("٣", "٣"),
    ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"),
    ("1:30", "1:30"), ("0000:03:00.0", "0000:03:00.0"), ("2001-01-01", "2001-01-01"),
    ("0x40_1000_0000", "0x40_1000_0000"), ("1_000", "1_000"), ("0b1", "0b1"), ("<<", "<<"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), CORE)
def test_core_schema(text: str, value: object) -> None:
    assert value == plain_scalar(text)
    assert type(value) is type(plain_scalar(text))


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_not_a_number(text: str) -> None:
    assert repr(math.nan) == repr(plain_scalar(text))


def test_quoted_scalars_are_text() -> None:
    assert {"a": "5", "b": "no", "c": "~"} == load_yaml("a: '5'\nb: \"no\"\nc: '~'", "x").plain()


def test_places_are_those_of_the_text() -> None:
    document = load_yaml("a:\n  - b: {c: 17}\n    d: 'x'\n", "x.yaml")
    inner = document.find(("a", 0, "b"))
    assert Span("x.yaml", 2, 8, 2, 15) == inner.place
    assert Span("x.yaml", 2, 12, 2, 14) == document.find(("a", 0, "b", "c")).place
    assert Span("x.yaml", 2, 9, 2, 10) == inner.keys["c"]
    assert Span("x.yaml", 3, 8, 3, 11) == document.find(("a", 0, "d")).place
    assert Span("x.yaml", 2, 3, 3, 11) == document.find(("a",)).place


def test_columns_count_characters_not_bytes() -> None:
    document = load_yaml('a: "äöü", b: 1'.replace(", ", "\n"), "x")
    assert Span("x", 1, 4, 1, 9) == document.find(("a",)).place


REFUSED = [
    ("a: &b {c: 1}\nd: {<<: *b}", "x:2:5", "the merge key << is YAML 1.1's, and not part of YAML 1.2"),
    ("a: 1\na: 2", "x:2:1", "the key 'a' is here a second time in the same map"),
    ("a: !!int 3", "x:1:4", "the tag 'tag:yaml.org,2002:int' is not allowed"),
    ("--- 1\n--- 2", "x:2:1", "a second document starts here; a description is one document"),
    ("", "x:1:1", "the file is empty"),
    ("a: *b", "x:1:4", "there is no anchor '&b' before this alias"),
    ("a: &a [*a]", "x:1:8", "there is no anchor '&a' before this alias"),
    ("? [1]\n: 2", "x:1:3", "a key of a map must be plain text"),
    ("[" * 101, "x:1:101", "lists and maps are nested more than 100 deep"),
    (b"a: \xff", "x:1:4", "the text is not UTF-8"),
    (b"\xef\xbb\xbfa: \xff", "x:1:4", "the text is not UTF-8"),
    ("a: {b: \x01}", "x:1:8", "the YAML does not parse: control characters are not allowed"),
]


@pytest.mark.parametrize(("text", "place", "message"), REFUSED)
def test_refused_with_its_place(text: str | bytes, place: str, message: str) -> None:
    with pytest.raises(Unreadable) as caught:
        load_yaml(text, "x")
    first = caught.value.findings[0]
    assert (place, message, "RPX0001") == (str(first.at), first.message, first.code)


GIVEN_UP = [
    ("a: 1\nb 2\nc: 3", "x:3:1", "x:2:1", "write 'key: value', with a space after the colon"),
    ("a: [1, 2\nb: 3", "x:2:2", "x:1:4", "close the bracket, or quote a text with ': ' in it"),
    ("a:\n\tb: 1", "x:2:1", None, "indent with spaces, not tabs; quote a text that begins with @, ` or %"),
    ("- a: 1\n b: 2", "x:2:2", "x:1:1", "begin the keys of a list's entry in one column"),
]


@pytest.mark.parametrize(("text", "place", "began", "help"), GIVEN_UP)
def test_where_the_parser_gave_up_and_what_to_do(text: str, place: str, began: str | None, help: str) -> None:
    """The place is often the line behind the fault: where the unfinished thing began is shown too."""
    with pytest.raises(Unreadable) as caught:
        load_yaml(text, "x")
    (found,) = caught.value.findings
    assert (place, [] if began is None else [began], help) == (
        str(found.at), [str(each.at) for each in found.related], found.help,
    )  # fmt: skip


def test_every_duplicate_and_tag_is_named_in_one_run() -> None:
    with pytest.raises(Unreadable) as caught:
        load_yaml("a: 1\na: 2\nb: !x 3\na: 4\n", "x")
    assert ["x:2:1", "x:3:4", "x:4:1"] == [str(finding.at) for finding in caught.value.findings]
    assert "x:1:1" == str(caught.value.findings[0].related[0].at)


def test_alias_bomb_is_refused_before_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml12, "MAX_NODES", 10_000)
    rows = ["a0: &a0 [" + "1," * 10 + "]"]
    rows += [f"a{i}: &a{i} [" + f"*a{i - 1}," * 10 + "]" for i in range(1, 9)]
    with pytest.raises(Unreadable, match="10,000 values"):
        load_yaml("\n".join(rows), "x")


def test_an_oversized_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml12, "MAX_BYTES", 1 << 20)
    with pytest.raises(Unreadable, match="larger than 1 MiB"):
        load_yaml(b" " * ((1 << 20) + 1), "x")


@given(st.binary(max_size=200) | st.text(alphabet="ab:{}[],&*!|>-?#'\"\n \t%@`~", max_size=60))
def test_any_bytes_give_a_document_or_a_finding(data: bytes | str) -> None:
    try:
        load_yaml(data, "x").plain()
    except Unreadable as error:
        assert error.findings
