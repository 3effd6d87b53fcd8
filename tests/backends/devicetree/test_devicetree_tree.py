"""The node tree and its two forms, whatever is in it: dtc has to read the same from both."""

from __future__ import annotations

import fdt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backends.devicetree.dtc_text import read, sorted_text
from tests.backends.platforms import host_bridge, platform

from rootplex.backends.devicetree import device_tree
from rootplex.backends.devicetree.dtb import to_dtb
from rootplex.backends.devicetree.dts import to_dts
from rootplex.backends.devicetree.tree import Node, Part, Property, Ref, Word, cells, paths, text, tree, walk

KEYS = ("a", "b-c", "b_c", "/d")

_words = st.one_of(st.integers(0, 0xFFFF_FFFF), st.sampled_from(KEYS).map(Ref)).map(Word)
_parts: st.SearchStrategy[Part] = st.one_of(
    st.lists(_words, min_size=1, max_size=6).map(tuple),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
_properties = st.lists(
    st.builds(
        Property, st.from_regex(r"[a-z][a-z0-9,._+?#-]{0,8}", fullmatch=True), st.lists(_parts).map(tuple)
    ),
    max_size=4,
    unique_by=lambda each: each.name,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_properties, min_size=len(KEYS), max_size=len(KEYS)), st.text(max_size=20))
def test_text_and_blob_are_one_tree(properties: list[list[Property]], remark: str) -> None:
    nodes = [
        Node(name="n", key=key, properties=tuple(own), comment=remark or None)
        for key, own in zip(KEYS, properties, strict=True)
    ]
    whole = tree(Node(name="/", children=(nodes[0], Node(name="inner", children=tuple(nodes[1:])))))
    assert sorted_text(to_dts(whole, remark).encode(), "dts") == sorted_text(to_dtb(whole), "dtb")


def test_labels_are_distinct_and_the_ones_asked_for_come_first() -> None:
    whole = tree(
        Node(
            name="/",
            children=(
                Node(name="x", key="b-c"),
                Node(name="y", key="b_c"),
                Node(name="z", key="other", label="b_c"),
            ),
        )
    )
    assert whole.labels["other"] == "b_c"
    assert len(set(whole.labels.values())) == 3


def test_siblings_of_one_name_are_told_apart() -> None:
    whole = tree(Node(name="/", children=tuple(Node(name=name) for name in ("m@0", "m@0", "x", "m@0", "x"))))
    assert [path for path, _ in walk(whole.root)] == ["/", "/m@0", "/m@0,2", "/x", "/m@0,3", "/x-2"]


def test_a_reference_to_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing in the device tree is called nobody"):
        tree(Node(name="/", properties=(cells("p", Ref("nobody")),)))


def test_paths_are_by_key() -> None:
    whole = tree(Node(name="/", children=(Node(name="soc", children=(Node(name="n@1", key="k"),)),)))
    assert paths(whole.root) == {"k": "/soc/n@1"}


def test_reservations_of_another_blob_do_not_leak_in() -> None:
    """`fdt.FDT` has one default list for all trees of a process."""
    other = fdt.FDT()
    other.entries.append({"address": 0x1000, "size": 0x1000})
    try:
        blob = to_dtb(tree(Node(name="/", properties=(text("model", "m"),))))
    finally:
        other.entries.clear()
    assert blob[40:56] == bytes(16)  # the list of reservations is its end alone (DTSpec 0.4, §5.3)
    assert read(blob) == {"/": {"model": ("m",)}}


def test_the_heading_ends_no_comment() -> None:
    whole = tree(Node(name="/"))
    assert to_dts(whole, "a */ b\nc").startswith("/* a * / b c */\n/dts-v1/;\n")


def test_numbers_are_written_as_engineers_write_them() -> None:
    source = device_tree(platform(host_bridge())).dts().data.decode()
    for expected in (
        "\t\treg = <0x40 0x10000000 0x0 0x10000000>;\n",
        "\t\tbus-range = <0x0 0xff>;\n",
        "\t\t#address-cells = <3>;\n",
        "\t\tinterrupt-map = <0 0 0 1 &gic 0 0 0 3 4>,\n\t\t\t<0 0 0 2 &gic 0 0 0 4 4>,\n",
        "\t\t\t<0x1800 0 0 4 &gic 0 0 0 5 4>;\n",
        "\t\tinterrupt-map-mask = <0x1800 0 0 7>;\n",
        "\t\tmsi-map = <0x0 &its 0x0 0x10000>;\n",
        "\t\tinterrupts = <0 74 1>, <0 75 1>, <0 76 1>, <0 77 1>;\n",
        "\t\tclock-frequency = <24000000>;\n",
    ):
        assert expected in source
