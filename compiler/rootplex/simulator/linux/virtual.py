"""VFs once their PF's driver has enabled them (`iov.c:pci_iov_add_virtfn`, linux.md §4.7)."""

from __future__ import annotations

from rootplex.simulator.function import Bus, Function
from rootplex.simulator.linux import probe, sriov
from rootplex.simulator.linux.placement import place_virtual
from rootplex.simulator.linux.scan import Scan


def enable(scan: Scan, physical: Function) -> None:
    """Enable the wanted VFs of a PF and add them; where that fails the PF stays without."""
    assert physical.sriov is not None
    for index, rid in enumerate(sriov.enable(scan.access, physical, scan.root.last_bus)):
        _add(scan, physical, index, rid)


def _add(scan: Scan, physical: Function, index: int, rid: int) -> None:
    assert physical.sriov is not None
    bus = _bus(scan, physical, rid >> 8)
    page = scan.access.page(bus.number, rid & 0xFF) or ""
    id = physical.vendor | physical.sriov.vf_device << 16
    function = probe.set_up(scan.access, bus, rid & 0xFF, id, physical.root, page)
    if function is None:
        return
    function.physfn = physical
    function.multifunction = False
    function.bars = []
    place_virtual(function, index)
    physical.virtual_functions.append(function)
    scan.add(function, "virtual-added")


def _bus(scan: Scan, physical: Function, number: int) -> Bus:
    """The PF's bus, or the virtual bus of a VF's number (`virtfn_add_bus`)."""
    if number == physical.bus.number:
        return physical.bus
    known = scan.kernel.buses.get((scan.segment, number))
    if known is not None:
        return known
    bus = Bus(physical.root, scan.segment, number, number, None, physical.bus, virtual=True)
    bus.extended = physical.bus.extended
    scan.add_bus(bus)
    return bus
