"""`dma-ranges` of a host bridge and of all buses above, as Linux `of_dma_get_range` takes them: each
expectation is what its loop does, read line by line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from rootplex.formats.devicetree import MapCells
from rootplex.readers.dtb import read_dtb
from rootplex.readers.hostbridge import pci_host_bridges
from rootplex.readers.inbound import unpassed
from rootplex.readers.tree import Tree

SOURCE = """/dts-v1/;
/ {{ #address-cells = <2>; #size-cells = <2>;
mc: memory-controller@100 {{ reg = <0 0x100 0 0x100>; #interconnect-cells = <1>; #address-cells = <2>;
  #size-cells = <2>; {mc} }};
emc: external@200 {{ reg = <0 0x200 0 0x100>; #interconnect-cells = <0>; }};
soc {{ compatible = "simple-bus"; #address-cells = <2>; #size-cells = <2>; ranges; {outer}
  hub {{ compatible = "simple-bus"; #address-cells = <1>; #size-cells = <1>; ranges = <0 0 0 0xffffffff>;
    {inner}
    pcie@40000000 {{ compatible = "pci-host-ecam-generic"; device_type = "pci"; #address-cells = <3>;
      #size-cells = <2>; reg = <0x40000000 0x1000000>; bus-range = <0 0xf>; {own}
      ranges = <0x02000000 0 0x50000000 0x50000000 0 0x10000000>; }}; }}; }}; }};
"""
OWN = "dma-ranges = <0x02000000 0x1 0 0x20000000 0 0x10000000>;"
INNER = "dma-ranges = <0x20000000 0x8 0x80000000 0x10000000>;"
ELSEWHERE = INNER.replace("0x20000000", "0x30000000")
OUTER = "dma-ranges = <0x8 0x80000000 0x10 0 0 0x40000000>;"
EMPTY = "dma-ranges;"
MC = "dma-ranges = <0 0 0 0 0x80 0>;"
DMA_MEM = 'interconnects = <&emc>, <&mc 7>; interconnect-names = "write", "dma-mem";'
GIB = 1 << 30

Limits = list[tuple[int, int, int]] | None

CASES: list[tuple[str, dict[str, str], Limits]] = [
    ("nothing says anything", {}, None),
    ("its own, 1:1 above", {"own": OWN}, [(1 << 32, 0x2000_0000, GIB // 4)]),
    ("its own, through one bus", {"own": OWN, "inner": INNER}, [(1 << 32, 0x8_8000_0000, GIB // 4)]),
    ("through two", {"own": OWN, "inner": INNER, "outer": OUTER}, [(1 << 32, 16 << 32, GIB // 4)]),
    ("an empty one between is 1:1", {"own": OWN, "inner": EMPTY, "outer": EMPTY},
     [(1 << 32, 0x2000_0000, GIB // 4)]),
    ("that of the bus, its own absent", {"inner": INNER}, [(0x2000_0000, 0x8_8000_0000, GIB // 4)]),
    ("that of the bus, its own empty", {"own": EMPTY, "inner": INNER, "outer": OUTER},
     [(0x2000_0000, 16 << 32, GIB // 4)]),
    ("that of the next, empty between", {"inner": EMPTY, "outer": OUTER}, [(0x8_8000_0000, 16 << 32, GIB)]),
    ("an absent one ends the search", {"outer": OUTER}, None),
    ("behind an empty one, too", {"own": EMPTY, "outer": OUTER}, None),
    ("empty ones up to the root", {"own": EMPTY, "inner": EMPTY, "outer": EMPTY}, None),
    ("one that no bus passes is dropped, and none is left", {"own": OWN, "inner": ELSEWHERE}, None),
    ("one of two is dropped",
     {"own": OWN.replace("<0x02", "<0x02000000 0 0 0x30000000 0 0x1000>, <0x02"), "inner": INNER},
     [(1 << 32, 0x8_8000_0000, GIB // 4)]),
    ("one of no size is none", {"own": OWN.replace("0 0x10000000>", "0 0>")}, None),
    ("an interconnect's node is the bus for DMA", {"own": DMA_MEM, "mc": MC, "inner": INNER},
     [(0, 0, 0x80 << 32)]),
    ("its own ranges pass it", {"own": f"{OWN} {DMA_MEM}", "inner": INNER,
                                "mc": "dma-ranges = <0 0x20000000 1 0 1 0>;"},
     [(1 << 32, 1 << 32, GIB // 4)]),
]  # fmt: skip

CUT: list[tuple[str, dict[str, str], list[tuple[str, int, int]]]] = [
    ("passed whole", {"own": OWN, "inner": INNER, "outer": OUTER}, []),
    ("one byte less", {"own": OWN, "inner": INNER.replace("0x10000000>", "0x0fffffff>")},
     [("/soc/hub", 0x1000_0000, 0x0FFF_FFFF)]),
    ("cut by the second", {"own": OWN, "inner": INNER, "outer": OUTER.replace("0x40000000>", "0x1000>")},
     [("/soc", 0x1000_0000, 0x1000)]),
    ("not at all", {"own": OWN, "inner": ELSEWHERE}, [("/soc/hub", 0x1000_0000, 0)]),
    ("two that follow each other",
     {"own": OWN, "inner": "dma-ranges = <0x28000000 1 0 0x8000000>, <0x20000000 0 0 0x8000000>;"}, []),
    ("the limit of a bus, cut above", {"inner": INNER, "outer": OUTER.replace("0x40000000>", "0x1000>")},
     [("/soc", 0x1000_0000, 0x1000)]),
]  # fmt: skip


@pytest.fixture
def read(program: Callable[[str], str]) -> Callable[[dict[str, str]], Tree]:
    dtc = program("dtc")

    def compiled(properties: dict[str, str]) -> Tree:
        source = SOURCE.format(**{"own": "", "inner": "", "outer": "", "mc": ""} | properties)
        argv = [dtc, "-q", "-q", "-I", "dts", "-O", "dtb"]
        done = subprocess.run(argv, input=source.encode(), stdout=subprocess.PIPE, check=True)
        return read_dtb(done.stdout, "case.dtb")

    return compiled


@pytest.mark.parametrize(("properties", "limits"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_dma_is_limited_to(
    read: Callable[[dict[str, str]], Tree], properties: dict[str, str], limits: Limits
) -> None:
    (bridge,) = pci_host_bridges(read(properties), MapCells.TARGET)
    found = bridge.inbound
    assert limits == (None if found is None else [(each.bus, each.cpu, each.size) for each in found])


@pytest.mark.parametrize(("properties", "cut"), [c[1:] for c in CUT], ids=[c[0] for c in CUT])
def test_what_a_bus_above_cuts(
    read: Callable[[dict[str, str]], Tree], properties: dict[str, str], cut: list[tuple[str, int, int]]
) -> None:
    tree = read(properties)
    (bridge,) = pci_host_bridges(tree, MapCells.TARGET)
    found = list(unpassed(tree, bridge.node))
    assert [(each.bus.path, each.size, each.passed) for each in found] == cut
