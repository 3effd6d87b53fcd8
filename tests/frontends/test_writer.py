"""Documents written as YAML read back to the same plain data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rootplex.frontends.description.values import number_of
from rootplex.frontends.document import Hex, Names, address, leaf, size, tree
from rootplex.frontends.writer import to_yaml
from rootplex.source.node import Node
from rootplex.source.place import FilePlace
from rootplex.source.yaml12 import load_yaml

HERE = FilePlace("here")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 64), 1 << 64),
    st.integers(0, 1 << 64).map(Hex),
    st.floats(allow_nan=False),
    TEXT,
    st.sampled_from(
        ["0x10", "no", "0o7", "1e3", "null", "~", "-", "...", "---", "0000:03:00.0", "256MiB", "a: b", "#x"]
    ),
)
PLAIN = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXT, below, max_size=4),
    max_leaves=20,
)


def remarked(node: Node, draw: st.DataObject) -> Node:
    """The same document with remarks here and there."""
    comment = draw.draw(st.none() | TEXT)
    if isinstance(node.value, dict):
        below = {key: remarked(each, draw) for key, each in node.value.items()}
        return Node(below, node.place, {}, comment)
    if isinstance(node.value, tuple):
        return Node(tuple(remarked(each, draw) for each in node.value), node.place, {}, comment)
    return Node(node.value, node.place, {}, comment)


def test_the_end_of_a_document_is_quoted() -> None:
    assert load_yaml(to_yaml(tree("...", HERE)), "there").plain() == "..."


@given(PLAIN, st.data())
def test_what_is_written_reads_back(plain: object, data: st.DataObject) -> None:
    document = remarked(tree(plain, HERE), data)
    assert document.plain() == load_yaml(to_yaml(document), "there").plain()


@given(st.integers(0, (1 << 64) - 1))
def test_numbers_keep_their_value_in_every_form(number: int) -> None:
    assert number == number_of(address(number))
    assert number == number_of(size(number))


def test_numbers_are_written_as_engineers_do() -> None:
    assert "0x40_1000_0000" == address(0x40_1000_0000)
    assert ["256MiB", "3GiB", "64KiB", "0x93_0010"] == [
        size(n) for n in (256 << 20, 3 << 30, 65536, 0x930010)
    ]


def test_small_maps_stand_on_one_line_and_remarks_stay() -> None:
    window = tree({"space": "mem32", "pci": address(0xC000_0000)}, HERE, "ranges[0]")
    document = tree({"windows": [window], "name": leaf("a", HERE, "its name")}, HERE, "head\nline")
    wanted = (
        "# head\n# line\n\nwindows:\n  - {space: mem32, pci: 0xc000_0000}  # ranges[0]\nname: a  # its name\n"
    )
    assert wanted == to_yaml(document)


def test_names_are_the_languages_and_each_once() -> None:
    names = Names()
    taken = [names.take(each, "pci") for each in ("PC00", "pc00", "2x", "", "Ünder")]
    assert ["pc00", "pc00-2", "pci-2x", "pci", "nder"] == taken
