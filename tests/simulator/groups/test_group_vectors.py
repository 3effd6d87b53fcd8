"""The golden vectors of the reference: linux.md §11.1, both algorithms, and the table of §5.6."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.simulator.groups.pci_trees import ENDPOINT, FULL, REQUIRED, PciTree, pages, partition, pci_bridge

from rootplex.simulator.function import (
    ACS_CR,
    ACS_RR,
    ACS_SV,
    ACS_TB,
    DOWNSTREAM,
    EVENT_COLLECTOR,
    INTEGRATED,
    PCI_TO_PCIE,
    PCIE_TO_PCI,
    ROOT_PORT,
    UPSTREAM,
    Bar,
    Bus,
)
from rootplex.simulator.groups.acs import Acs
from rootplex.simulator.groups.linux import linux_groups
from rootplex.simulator.groups.top_down import top_down_groups

Build = Callable[[PciTree], object]

VECTORS: dict[str, tuple[Build, str, str]] = {}
"""Name to (tree, groups by §5.5, groups by §5.8), the text as in the reference."""


def vector(linux: str, jgg: str) -> Callable[[Build], Build]:
    def keep(build: Build) -> Build:
        VECTORS[build.__name__] = (build, linux, jgg)
        return build

    return keep


@vector("{EP} {RP}", "{EP} {RP}")
def v01(tree: PciTree) -> None:
    tree.add("EP", tree.bridge("RP", tree.root, 0, acs=FULL), 0)


@vector("{EP.0,EP.1,RP}", "{EP.0} {EP.1} {RP}")
def v02(tree: PciTree) -> None:
    below = tree.bridge("RP", tree.root, 0)
    tree.add("EP.0", below, 0, 0, mf=True)
    tree.add("EP.1", below, 0, 1, mf=True)


@vector("{A,B,RP.0,RP.1}", "{A} {B} {RP.0} {RP.1}")
def v03(tree: PciTree) -> None:
    one, other = (tree.bridge(f"RP.{fn}", tree.root, 1, fn, mf=True) for fn in (0, 1))
    tree.add("A", one, 0)
    tree.add("B", other, 0)


@vector("{A,RP1} {B,RP2}", "{A} {B} {RP1} {RP2}")
def v04(tree: PciTree) -> None:
    one, other = (tree.bridge(f"RP{dev}", tree.root, dev) for dev in (1, 2))
    tree.add("A", one, 0)
    tree.add("B", other, 0)


def _switch(
    tree: PciTree,
    d0: tuple[int, int, tuple[int, int] | None],
    d1: tuple[int, int, tuple[int, int] | None],
    *,
    port: tuple[int, int] | None = FULL,
) -> None:
    below = tree.bridge("RP", tree.root, 0, acs=port)
    buses = tree.switch(below, [("D0", *d0), ("D1", *d1)])
    tree.add("A", buses[0], 0)
    tree.add("B", buses[1], 0)


@vector("{A,D0} {B,D1} {RP} {USP}", "{A,B,D0,D1} {RP} {USP}")
def v05(tree: PciTree) -> None:
    _switch(tree, (0, 0, None), (3, 0, None))


@vector("{A,B,D0,D1} {RP} {USP}", "{A,B,D0,D1} {RP} {USP}")
def v06(tree: PciTree) -> None:
    _switch(tree, (0, 0, None), (0, 1, None))


@vector("{A} {B,D1} {D0} {RP} {USP}", "{A,B,D0,D1} {RP} {USP}")
def v07(tree: PciTree) -> None:
    _switch(tree, (0, 0, FULL), (3, 0, None))


@vector("{A} {B} {D0} {D1} {RP} {USP}", "{A} {B} {D0} {D1} {RP} {USP}")
def v08(tree: PciTree) -> None:
    _switch(tree, (0, 0, FULL), (3, 0, FULL))


@vector("{A,B,D0,D1,RP,USP}", "{A} {B} {D0} {D1} {RP} {USP}")
def v09(tree: PciTree) -> None:
    _switch(tree, (0, 0, FULL), (3, 0, FULL), port=None)


@vector("{BR,P1,P2} {RP}", "{BR} {P1,P2} {RP}")
def v10(tree: PciTree) -> None:
    pci_bridge(tree)


@vector("{BR,P1,P2} {RP}", "{BR,P1,P2} {RP}")
def v11(tree: PciTree) -> None:
    pci_bridge(tree)
    tree["BR"].bars.append(Bar(0, "mem64", False, 4096))


@vector("{F0,F1} {RP}", "{F0} {F1} {RP}")
def v12(tree: PciTree) -> None:
    below = tree.bridge("RP", tree.root, 0, acs=FULL)
    tree.add("F0", below, 0, 0, mf=True)
    tree.add("F1", below, 0, 1, mf=True)


@vector("{F0,F2} {F6}", "{F0} {F2} {F6}")
def v13(tree: PciTree) -> None:
    tree.add("F0", tree.root, 4, 0, type=INTEGRATED, mf=True)
    tree.add("F2", tree.root, 4, 2, type=INTEGRATED, mf=True)
    tree.add("F6", tree.root, 4, 6, type=INTEGRATED, mf=True, acs=FULL)


def _sriov(tree: PciTree, port: tuple[int, int] | None) -> None:
    below = tree.bridge("RP", tree.root, 0, acs=port)
    physical = tree.add("PF", below, 0)
    tree.virtual("VF0", physical, below, 0x10)
    beyond = Bus(0, 0, below.number + 1, 255, parent=below, virtual=True)
    tree.virtual("VF1", physical, beyond, 0x10)


@vector("{PF} {RP} {VF0} {VF1}", "{PF} {RP} {VF0} {VF1}")
def v14(tree: PciTree) -> None:
    _sriov(tree, FULL)


@vector("{PF,RP,VF0,VF1}", "{PF} {RP} {VF0} {VF1}")
def v15(tree: PciTree) -> None:
    _sriov(tree, None)


@vector("{C.0,C.1} {HB} {S}", "{C.0} {C.1} {HB} {S}")
def v16(tree: PciTree) -> None:
    tree.add("HB", tree.root, 0, type=None, class_code=0x060000)
    tree.add("C.0", tree.root, 1, 0, type=None, mf=True)
    tree.add("C.1", tree.root, 1, 1, type=None, mf=True)
    tree.add("S", tree.root, 2, type=None)


@vector("{F0} {F1} {RP}", "{F0} {F1} {RP}")
def v17(tree: PciTree) -> None:
    below = tree.bridge("RP", tree.root, 0, acs=FULL)
    tree.add("F0", below, 0, 0, mf=True, acs=(0, 0))
    tree.add("F1", below, 0, 1, mf=True, acs=(0, 0))


@vector("{EP} {RP}", "{EP} {RP}")
def v18(tree: PciTree) -> None:
    bits = ACS_SV | ACS_RR | ACS_CR
    tree.add("EP", tree.bridge("RP", tree.root, 0, acs=(bits | ACS_TB, bits)), 0)


@vector("{EP,RP}", "{EP,RP}")
def v19(tree: PciTree) -> None:
    tree.add("EP", tree.bridge("RP", tree.root, 0, acs=(FULL[0], ACS_SV | ACS_RR | ACS_CR)), 0)


@vector("{F0,F1,F2} {RP}", "{F0,F1,F2} {RP}")
def v20(tree: PciTree) -> None:
    below = tree.bridge("RP", tree.root, 0, acs=FULL)
    for fn in range(3):
        tree.add(f"F{fn}", below, 0, fn, mf=True, aliases=(1,))


@pytest.mark.parametrize("name", VECTORS)
def test_linux_up_to_7_2(name: str) -> None:
    build, linux, _ = VECTORS[name]
    tree = PciTree()
    build(tree)
    grouping = linux_groups(tree.functions)
    assert partition(linux) == pages(grouping)
    assert all(group.reasons for group in grouping.groups)


@pytest.mark.parametrize("name", VECTORS)
def test_the_proposed_algorithm(name: str) -> None:
    build, _, jgg = VECTORS[name]
    tree = PciTree()
    build(tree)
    grouping = top_down_groups(tree.functions)
    assert partition(jgg) == pages(grouping)
    assert all(group.reasons for group in grouping.groups)


def test_there_are_twenty_vectors() -> None:
    assert [f"v{number:02}" for number in range(1, 21)] == sorted(VECTORS)


# §5.6: type, single or multi-function, ACS, quirk; isolated or not.
SUMMARY = [
    (ROOT_PORT, False, None, None, False),
    (ROOT_PORT, False, (REQUIRED, REQUIRED), None, True),
    (ROOT_PORT, False, (REQUIRED, REQUIRED & ~ACS_RR), None, False),
    (ROOT_PORT, False, (ACS_SV, ACS_SV), None, True),
    (ROOT_PORT, False, (0, 0), None, True),
    (ROOT_PORT, False, None, "isolated", True),
    (DOWNSTREAM, False, None, None, False),
    (DOWNSTREAM, True, FULL, None, True),
    (UPSTREAM, False, None, None, True),
    (UPSTREAM, True, None, None, False),
    (UPSTREAM, True, FULL, None, True),
    (ENDPOINT, False, None, None, True),
    (ENDPOINT, True, None, None, False),
    (ENDPOINT, True, None, "isolated", True),
    (ENDPOINT, True, (ACS_RR | ACS_CR, ACS_RR | ACS_CR), None, True),
    (1, False, None, None, True),
    (1, True, None, None, False),
    (INTEGRATED, False, None, None, True),
    (INTEGRATED, True, None, None, False),
    (INTEGRATED, True, (0, 0), None, True),
    (None, False, None, None, False),
    (None, True, None, None, False),
    (PCIE_TO_PCI, False, FULL, None, False),
    (PCI_TO_PCIE, False, FULL, None, False),
    (EVENT_COLLECTOR, False, FULL, None, False),
]


@pytest.mark.parametrize(("type", "mf", "acs", "quirk", "isolates"), SUMMARY)
def test_who_isolates(
    type: int | None, mf: bool, acs: tuple[int, int] | None, quirk: str | None, isolates: bool
) -> None:
    tree = PciTree()
    function = tree.add("X", tree.root, 0, type=type, mf=mf, acs=acs, acs_quirk=quirk)
    assert isolates == Acs().isolates(function)
