"""Vendors' device trees: the faults of the corpus and what only looks like one; trees made for a fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.checks.cases import dts_findings, given_findings, only
from tests.corpus.board_corpus import Corpus

from rootplex.checks.facts import Facts
from rootplex.formats.devicetree import MapCells
from rootplex.readers.dtb import read_dtb
from rootplex.simulator.firmware.facts import dt_firmware
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

# The table of the corpus README: what is found in each device tree, above the level of a note.
# The place is (node, property); what other blocks find (RID maps) is theirs to test.
FAULTS: dict[str, list[tuple[str, str, str, str | None]]] = {
    "ac5x-rd-carrier-cn9131": [
        ("RPX0101", "error", "/cp0/pcie@f2600000", "reg"),
        ("RPX0101", "error", "/cp1/pcie@f4600000", "reg"),
        ("RPX0102", "error", "/cp0/pcie@f2600000", "ranges"),
        ("RPX0102", "error", "/cp1/pcie@f4600000", "ranges"),
        ("RPX0131", "error", "/ap807/config-space@f0000000/interrupt-controller@210000", "reg"),
        ("RPX0205", "warning", "/cp0/pcie@f2600000", None),
    ],
    "amd-overdrive-rev-b1": [],
    "armada-8040-mcbin": [("RPX0610", "warning", "/cp0/pcie@f2600000", "iommu-map")],
    "bcm2711-rpi-4-b": [],
    "cn9132-clearfog": [("RPX0205", "warning", "/cp0/pcie@f2600000", None)],
    "fsl-lx2160a-rdb": [],
    "hip07-d05": [],
    "jh7110-starfive-visionfive-2-v1.3b": [
        ("RPX0108", "warning", "/soc/pcie@940000000", "reg"),
        ("RPX0108", "warning", "/soc/pcie@9c0000000", "reg"),
    ],
    "juno-r2": [("RPX0113", "warning", "/pcie@40000000", "ranges")],
    "qemu-virt-gic-version-2-highmem-off": [],
    "qemu-virt-gic-version-3-iommu-smmuv3": [],
    "qemu-virt-gic-version-3": [],
    "rk3588-turing-rk1": [("RPX0202", "warning", "/pcie@fe160000", "linux,pci-domain")],
    "sc8280xp-lenovo-thinkpad-x13s": [],
    "zynqmp-zcu102-rev1.0": [("RPX0108", "warning", "/axi/pcie@fd0e0000", "reg")],
}

# What the README or `expected/` tells of beside, and which is no fault.
NOTES = {
    "amd-overdrive-rev-b1": {"RPX0108"},
    "bcm2711-rpi-4-b": {"RPX0119", "RPX0211"},
    "fsl-lx2160a-rdb": {"RPX0607"},
}

BLOCKS = ("RPX01", "RPX02", "RPX06")


def findings(file: Path) -> tuple[Finding, ...]:
    firmware = dt_firmware(read_dtb(file.read_bytes(), file.name), MapCells.TARGET)
    found = given_findings(Facts(dt=firmware))
    return tuple(each for each in found if each.code.startswith(BLOCKS))


@pytest.mark.parametrize("board", FAULTS)
def test_every_fault_of_the_corpus_and_no_other(corpus: Corpus, board: str) -> None:
    """Code, level, and the node and property that a person would change."""
    told = [
        (each.code, str(each.level), each.at.node, each.at.property)
        for each in findings(corpus(board))
        if each.level is not Level.NOTE and isinstance(each.at, DtPlace)
    ]
    assert sorted(told, key=repr) == sorted(FAULTS[board], key=repr)


@pytest.mark.parametrize("board", NOTES)
def test_notes_tell_what_is_odd_and_no_fault(corpus: Corpus, board: str) -> None:
    """A larger ECAM, no bus-range, a tree whose bridges wait for the boot loader."""
    notes = {each.code for each in findings(corpus(board)) if each.level is Level.NOTE}
    assert notes == NOTES[board]


HEAD = """\
/dts-v1/;
/ {
  #address-cells = <2>; #size-cells = <2>; compatible = "test"; interrupt-parent = <&gic>;
  memory@80000000 { device_type = "memory"; reg = <0 0x80000000 0 0x80000000>; };
  gic: interrupt-controller@8000000 {
    compatible = "arm,gic-v3"; interrupt-controller; #interrupt-cells = <3>;
    reg = <0 0x8000000 0 0x10000>, <0 0x80a0000 0 0x20000>;
  };
  its: msi-controller@8080000 {
    compatible = "arm,gic-v3-its"; msi-controller; #msi-cells = <1>; reg = <0 0x8080000 0 0x20000>;
  };
"""
BRIDGE = """
  pcie@4010000000 {
    compatible = "pci-host-ecam-generic"; device_type = "pci";
    #address-cells = <3>; #size-cells = <2>; #interrupt-cells = <1>;
    reg = <0x40 0x10000000 0 0x1000000>; bus-range = <0 15>; linux,pci-domain = <0>;
    ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x8000000>;
    msi-map = <0 &its 0 0x10000>;
    %s
  };
"""


@pytest.fixture
def dtc(program: Callable[[str], str]) -> str:
    return program("dtc")


def test_a_sound_tree_has_no_findings(dtc: str) -> None:
    assert dts_findings(HEAD + BRIDGE % "" + "};", dtc) == ()


def test_an_endpoint_twin_shares_registers_and_windows(dtc: str) -> None:
    """`…-ep` nodes are no host bridges; where the bridge is on, its twin is none of its neighbours."""
    twin = """
  pcie-ep@4010000000 {
    compatible = "vendor,pcie-ep"; reg = <0x40 0x10000000 0 0x1000000>, <0 0x10000000 0 0x8000000>;
  };
"""
    assert dts_findings(HEAD + BRIDGE % "" + twin + "};", dtc) == ()


UART = 'serial@10001000 { compatible = "arm,pl011"; reg = <0 0x10001000 0 0x1000>; };'
RESERVED = """reserved-memory {
    #address-cells = <2>; #size-cells = <2>; ranges; a@4010000000 { reg = <0x40 0x10000000 0 0x1000>; };
  };"""


@pytest.mark.parametrize(
    ("code", "place", "cell", "extra"), [("RPX0107", "ranges", 3, UART), ("RPX0101", "reg", 0, RESERVED)]
)
def test_what_else_is_there(dtc: str, code: str, place: str, cell: int, extra: str) -> None:
    """Another device's registers in the window, and reserved memory in the configuration space: warnings, at
    the addresses."""
    (found,) = dts_findings(HEAD + BRIDGE % "" + extra + "};", dtc)
    assert (found.code, str(found.level)) == (code, "warning")
    assert found.at == DtPlace("case.dtb", "/pcie@4010000000", place, cell)


def test_addresses_that_do_not_come_through_the_bus_above(dtc: str) -> None:
    """A window, and registers, outside the `ranges` of the bus on which the bridge sits."""
    bus = """
  bus { compatible = "simple-bus"; #address-cells = <2>; #size-cells = <2>;
    ranges = <0 0 0 0 0 0x1000000>; %s };
};"""
    found = dts_findings(HEAD + bus % (BRIDGE % ""), dtc)
    assert [(each.code, str(each.level), str(each.at)) for each in found] == [
        ("RPX0115", "error", "case.dtb: /bus/pcie@4010000000:ranges[3]"),
        ("RPX0604", "error", "case.dtb: /bus/pcie@4010000000:reg[0]"),
    ]


@pytest.mark.parametrize(
    ("entries", "level", "words"),
    [
        ("<0 0 0 1 &dead 1>, <0 0 0 2 &gic 0 4 4>", "warning", "1 of 2 entries"),
        ("<0 0 0 1 &dead 1>", "warning", "no entry"),
        ("<0 0 0 1 &off 1>", "warning", "no entry"),
        ("<0 0 0 1 0x77 0 4 4>", "error", "cannot be read"),
    ],
)
def test_interrupt_maps_that_resolve_to_nothing(dtc: str, entries: str, level: str, words: str) -> None:
    """A parent without a controller above, a disabled one, none at all."""
    nodes = """
  dead: dead { #interrupt-cells = <1>; interrupt-parent = <&dead>; };
  off: off { #interrupt-cells = <1>; interrupt-controller; status = "disabled"; };
"""
    own = f"interrupt-map-mask = <0 0 0 7>; interrupt-map = {entries};"
    (found,) = only(dts_findings(HEAD + nodes + BRIDGE % own + "};", dtc), "RPX0615")
    assert (str(found.level), words in found.message) == (level, True)
    assert found.at == DtPlace("case.dtb", "/pcie@4010000000", "interrupt-map", 0)


def test_a_pin_of_device_0_that_no_entry_names(dtc: str) -> None:
    """Of a bridge whose first bus has device 0 only."""
    own = "interrupt-map-mask = <0 0 0 7>; interrupt-map = <0 0 0 1 &gic 0 4 4>, <0 0 0 2 &gic 0 5 4>;"
    ecam = (BRIDGE % own).replace("pci-host-ecam-generic", "xlnx,nwl-pcie-2.11")
    (found,) = only(dts_findings(HEAD + ecam + "};", dtc), "RPX0616")
    assert "INTC and INTD" in found.message
    assert only(dts_findings(HEAD + (BRIDGE % own) + "};", dtc), "RPX0616") == ()


def test_what_is_behind_a_bridge_lies_in_its_window(dtc: str) -> None:
    """A controller on a card (Raspberry Pi 5's RP1) is no neighbour of the bridge."""
    card = """
    ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x8000000>;
    card@0,0 { reg = <0 0 0 0 0>; device_type = "pci"; #address-cells = <3>; #size-cells = <2>; ranges;
      bus { compatible = "simple-bus"; #address-cells = <1>; #size-cells = <1>;
        ranges = <0 0x2000000 0 0x10000000 0x100000>;
        intc: pic@1000 { reg = <0x1000 0x1000>; interrupt-controller; #interrupt-cells = <1>; };
      };
    };
"""
    bridge = (BRIDGE % card).replace("ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x8000000>;", "", 1)
    found = dts_findings(HEAD + bridge + "};", dtc)
    assert [each for each in found if each.code in ("RPX0106", "RPX0107")] == []


def test_a_windowed_bridge_may_share_its_io_window_with_configuration_space(dtc: str) -> None:
    """R-Car Gen4 uses one outbound window for both, in turn; plain ECAM cannot."""
    io = "ranges = <0x1000000 0 0 0x40 0x10000000 0 0x1000>,"
    bridge = (BRIDGE % "").replace("ranges =", io, 1)
    assert [str(each.level) for each in only(dts_findings(HEAD + bridge + "};", dtc), "RPX0105")] == ["error"]
    shared = bridge.replace("pci-host-ecam-generic", "renesas,rcar-gen4-pcie")
    shared = shared.replace("bus-range", 'reg-names = "config"; bus-range')
    assert only(dts_findings(HEAD + shared + "};", dtc), "RPX0105") == ()
