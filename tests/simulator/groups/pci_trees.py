"""Hand-built trees of functions, and partitions written as the reference writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rootplex.simulator.function import (
    ACS_CR,
    ACS_RR,
    ACS_SV,
    ACS_TB,
    ACS_UF,
    DOWNSTREAM,
    PCIE_TO_PCI,
    ROOT_PORT,
    UPSTREAM,
    Bus,
    Function,
)
from rootplex.simulator.groups.grouping import Grouping

REQUIRED = ACS_SV | ACS_RR | ACS_CR | ACS_UF
FULL = (REQUIRED | ACS_TB, REQUIRED)
"""ACS "full" of the reference: capability with TB, control SV RR CR UF."""

ENDPOINT = 0


class PciTree:
    """Functions in the order in which they are added; buses are numbered in that order too. A
    function's page is its name."""

    def __init__(self, segment: int = 0) -> None:
        self.functions: list[Function] = []
        self.root = Bus(0, segment, 0, 255)
        self._last = 0

    def add(
        self,
        name: str,
        bus: Bus,
        dev: int,
        fn: int = 0,
        *,
        type: int | None = ENDPOINT,
        acs: tuple[int, int] | None = None,
        mf: bool = False,
        class_code: int = 0x020000,
        **facts: object,
    ) -> Function:
        """A function without anything below it."""
        function = Function(
            root=0,
            bus=bus,
            devfn=dev << 3 | fn,
            page=name,
            vendor=0x1234,
            device=0x0100,
            class_code=class_code,
            revision=0,
            header=0,
            multifunction=mf,
            pcie_type=type,
            acs=acs,
        )
        for fact, value in facts.items():
            setattr(function, fact, value)
        bus.functions.append(function)
        self.functions.append(function)
        return function

    def bridge(
        self,
        name: str,
        bus: Bus,
        dev: int,
        fn: int = 0,
        *,
        type: int | None = ROOT_PORT,
        acs: tuple[int, int] | None = None,
        mf: bool = False,
    ) -> Bus:
        """A bridge or port; the bus below it."""
        function = self.add(name, bus, dev, fn, type=type, acs=acs, mf=mf, class_code=0x060400, header=1)
        self._last += 1
        below = Bus(0, bus.segment, self._last, 255, bridge=function, parent=bus)
        function.secondary = function.subordinate = self._last
        function.child_bus = below
        return below

    def virtual(self, name: str, physical: Function, bus: Bus, devfn: int) -> Function:
        """A VF of a PF."""
        function = self.add(name, bus, devfn >> 3, devfn & 7, type=physical.pcie_type)
        function.physfn = physical
        physical.virtual_functions.append(function)
        return function

    def switch(
        self,
        bus: Bus,
        ports: Iterable[tuple[str, int, int, tuple[int, int] | None]],
        *,
        acs: tuple[int, int] | None = None,
    ) -> list[Bus]:
        """A switch with its upstream port at 00.0; the buses below its downstream ports, given as
        (name, device, function, ACS)."""
        inside = self.bridge("USP", bus, 0, type=UPSTREAM, acs=acs)
        ports = list(ports)
        slots = [dev for _, dev, _, _ in ports]
        return [
            self.bridge(name, inside, dev, fn, type=DOWNSTREAM, acs=bits, mf=slots.count(dev) > 1)
            for name, dev, fn, bits in ports
        ]

    def __getitem__(self, name: str) -> Function:
        return next(function for function in self.functions if function.page == name)


def partition(text: str) -> set[frozenset[str]]:
    """`{A,B} {C}` as sets."""
    return {frozenset(names.split(",")) for names in re.findall(r"\{([^}]*)\}", text)}


def pages(grouping: Grouping) -> set[frozenset[str]]:
    """The groups as sets of page names."""
    return {frozenset(member.page for member in group.members) for group in grouping.groups}


def is_coarser(coarse: Grouping, fine: Grouping) -> bool:
    """Whether every group of `fine` lies inside one of `coarse`."""
    return all(len({coarse.of(member) for member in group.members}) == 1 for group in fine.groups)


def pci_bridge(tree: PciTree) -> Bus:
    """V10: a root port with ACS, a PCIe-to-PCI bridge below it, and two conventional functions."""
    below = tree.bridge("RP", tree.root, 1, acs=FULL)
    conventional = tree.bridge("BR", below, 0, type=PCIE_TO_PCI)
    tree.add("P1", conventional, 1, type=None)
    tree.add("P2", conventional, 2, type=None)
    return conventional
