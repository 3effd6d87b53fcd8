"""Blobs made by dtc read back; the `fdt` library as a second reader; broken blobs end in one error."""

from __future__ import annotations

import shutil
import struct
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.corpus.board_corpus import TREES, Corpus
from tests.corpus.qemu_trees import QEMU

from rootplex.formats.devicetree import MapCells
from rootplex.readers.dtb import DEPTH_LIMIT, SIZE_LIMIT, read_dtb
from rootplex.readers.dts import compile_dts
from rootplex.readers.hostbridge import pci_host_bridges
from rootplex.readers.platform_dt import read_platform
from rootplex.source.finding import Unreadable
from rootplex.source.place import Span

needs_dtc = pytest.mark.skipif(shutil.which("dtc") is None, reason="needs dtc")

EVERYTHING = """/dts-v1/;
/memreserve/ 0x1000 0x2000;
/ {
    #address-cells = <2>; #size-cells = <2>;
    empty; strings = "", "a", "", "b c"; odd = [01 02 03];
    aliases { serial0 = "/soc/uart@1000"; };
    gic: gic { phandle = <9>; interrupt-controller; #interrupt-cells = <3>; };
    soc {
        #address-cells = <1>; #size-cells = <1>; ranges = <0 0 0x80000000 0x10000>;
        uart@1000 { reg = <0x1000 0x100 0x2000 0x10>; reg-names = "a"; status = "disabled"; };
        okay { status = "okay"; child { status = "ok"; }; };
        blank { status = ""; };
    };
    memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x8000000>; };
};
"""


@needs_dtc
def test_values_paths_and_helpers() -> None:
    tree = read_dtb(compile_dts(EVERYTHING, "x.dts"), "x.dtb")
    root = tree.root
    assert tree.reservations == ((0x1000, 0x2000),)
    assert (root.path, root.name, root.parent) == ("/", "", None)
    assert root.properties["empty"] == b""
    assert root.strings("strings") == ("", "a", "", "b c")
    assert root.properties["odd"] == b"\1\2\3"
    assert root.cells("odd") == ()
    uart = tree.by_path["/soc/uart@1000"]
    assert tree.find("serial0") is uart
    assert (uart.base_name, uart.is_enabled, uart.ancestors_enabled) == ("uart", False, True)
    assert tree.by_path["/soc/okay/child"].is_enabled
    assert not tree.by_path["/soc/blank"].is_enabled
    assert tree.by_phandle[9] is tree.by_path["/gic"]
    # Linux and Xen take the counts of the nearest node above that has them.
    assert (tree.by_path["/soc/okay"].address_cells, tree.by_path["/gic"].address_cells) == (1, 2)
    assert [node.path for node in tree.walk()][:4] == ["/", "/aliases", "/gic", "/soc"]


@needs_dtc
def test_platform_areas_are_cpu_addresses() -> None:
    platform = read_platform(read_dtb(compile_dts(EVERYTHING, "x.dts"), "x.dtb"))
    assert [(area.base, area.size) for area in platform.memory] == [(0x40000000, 0x8000000)]
    assert [(a.base, a.size, a.enabled) for a in platform.areas] == [
        (0x80001000, 0x100, False),
        (0x80002000, 0x10, False),
    ]
    assert [(area.base, area.path) for area in platform.reserved] == [(0x1000, "/memreserve/")]
    assert [controller.kind for controller in platform.controllers] == ["interrupt"]


@pytest.mark.parametrize("board", TREES)
def test_vendor_blobs_read_the_same_through_the_fdt_library(corpus: Corpus, board: str) -> None:
    import fdt  # type: ignore[import-untyped, unused-ignore]

    blob = corpus(board).read_bytes()
    tree = read_dtb(blob, board)
    seen = 0
    for where, _, properties in fdt.parse_dtb(blob).walk():
        node = tree.by_path["/" + where.strip("/")]
        assert list(node.properties) == [item.name for item in properties], node.path
        for item in properties:
            assert node.properties[item.name] == value_bytes(item), f"{node.path}:{item.name}"
        seen += 1
    assert seen == len(tree.by_path)


def value_bytes(item: object) -> bytes:
    data = getattr(item, "data", [])
    match type(item).__name__:
        case "PropStrings":
            return b"".join(text.encode() + b"\0" for text in data)
        case "PropWords":
            return struct.pack(f">{len(data)}I", *data)
    return bytes(data)


def blob(
    structure: bytes, strings: bytes = b"x\0", *, total: int | None = None, magic: int = 0xD00DFEED
) -> bytes:
    """A blob around a structure block, by the Devicetree Specification 0.4 §5.2."""
    reservations, strings = bytes(16), b"x\0"
    struct_at = 40 + len(reservations)
    strings_at = struct_at + len(structure)
    size = strings_at + len(strings)
    fields = (magic, total or size, struct_at, strings_at, 40, 17, 16, 0, len(strings), len(structure))
    return struct.pack(">10I", *fields) + reservations + structure + strings


BEGIN, END_NODE, NOP, END = b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\4", b"\0\0\0\x09"
ROOT = BEGIN + bytes(4)
EMPTY = ROOT + END_NODE + END


def prop(length: int, name: int, data: bytes = b"") -> bytes:
    return struct.pack(">III", 3, length, name) + data


def node(name: bytes, inside: bytes = b"") -> bytes:
    return BEGIN + name + bytes(4 - len(name) % 4) + inside + END_NODE


def test_nops_and_bytes_after_the_blob_are_passed_over() -> None:
    tree = read_dtb(blob(NOP + ROOT + NOP + prop(4, 0, b"abcd") + NOP + END_NODE + NOP + END) + b"more", "x")
    assert tree.root.properties == {"x": b"abcd"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a device tree blob: 0 bytes"),
        (blob(EMPTY, magic=0xEDFE0DD0), "not a device tree blob: it starts with 0xedfe0dd0"),
        (blob(EMPTY)[:-1], "header gives a size of"),
        (blob(EMPTY, total=SIZE_LIMIT + 1), "more than 16 MiB"),
        (blob(EMPTY, total=20), "header gives a size of 20"),
        (blob(ROOT + END_NODE), "without an end"),
        (blob(ROOT + END), "node / has no end"),
        (blob(END), "no root node"),
        (blob(ROOT + END_NODE + ROOT + END_NODE + END), "second root node"),
        (blob(END_NODE + END), "end of a node that was not begun"),
        (blob(prop(0, 0) + EMPTY), "property outside of any node"),
        (blob(ROOT + prop(400, 0) + END_NODE + END), "property at 0x40 in / has 400 bytes"),
        (blob(ROOT + prop(0, 9) + END_NODE + END), "runs out of the strings block"),
        (blob(ROOT + prop(0, 0) + prop(0, 0) + END_NODE + END), "two properties x in /"),
        (blob(ROOT + node(b"a") + node(b"a") + END_NODE + END), "two nodes /a"),
        (blob(ROOT + node(b"a/b") + END_NODE + END), "invalid name 'a/b'"),
        (blob(ROOT + node(b"") + END_NODE + END), "invalid name ''"),
        (blob(ROOT + b"\0\0\0\x07" + END_NODE + END), "unknown tag 0x7"),
        (blob((BEGIN + b"n\0\0\0") * 70), "the root node has a name"),
        (blob(ROOT + (BEGIN + b"n\0\0\0") * DEPTH_LIMIT), "deeper than 64 levels"),
    ],
)
def test_malformed_blobs_are_unreadable_and_say_why(data: bytes, message: str) -> None:
    with pytest.raises(Unreadable) as error:
        read_dtb(data, "x.dtb")
    assert message in str(error.value)


@pytest.mark.parametrize("field", [2, 3, 4, 8, 9])
@pytest.mark.parametrize("value", [0, 3, 0x7FFFFFFF, 0xFFFFFFFF])
def test_blocks_outside_the_blob_are_refused(field: int, value: int) -> None:
    data = bytearray(blob(ROOT + prop(0, 0) + END_NODE + END))
    struct.pack_into(">I", data, 4 * field, value)
    with pytest.raises(Unreadable):
        read_dtb(bytes(data), "x")


def everything(data: bytes) -> None:
    """Read all that the readers can; only Unreadable may come out."""
    try:
        tree = read_dtb(data, "x")
    except Unreadable:
        return
    for cells in MapCells:
        pci_host_bridges(tree, cells)
    read_platform(tree)


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_structure_block_gives_a_tree_or_unreadable(structure: bytes) -> None:
    everything(blob(ROOT + structure))


@pytest.mark.parametrize("seed", range(6))
def test_mutated_vendor_blobs_give_a_tree_or_unreadable(corpus: Corpus, seed: int) -> None:
    random = Random(seed)
    for board in QEMU:
        data = bytearray(corpus(board).read_bytes())
        for _ in range(random.choice((1, 4, 40))):
            data[random.randrange(len(data))] = random.choice((0, 1, 3, 0x7F, 0xFF, random.randrange(256)))
        everything(bytes(data[: random.choice((len(data), random.randrange(len(data))))]))


@needs_dtc
@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("/dts-v1/;\n/ { a = < };", 2, "dtc: syntax error"),
        ("/dts-v1/;\n/ { a = <&gone>; };", 2, 'non-existent node or label "gone"'),
        ("/dts-v1/;\n/ { n { }; n { }; };", 2, "Duplicate node name"),
        ('/dts-v1/;\n/include/ "x.dtsi"', 2, "includes another file"),
        ('/dts-v1/;\n/ { a = /incbin/("/dev/zero"); };', 2, "includes another file"),
    ],
)
def test_refused_sources_point_at_their_line(text: str, line: int, message: str) -> None:
    with pytest.raises(Unreadable) as error:
        compile_dts(text, "x.dts")
    (finding,) = error.value.findings
    assert message in finding.message
    assert isinstance(finding.at, Span)
    assert finding.at.line == line
