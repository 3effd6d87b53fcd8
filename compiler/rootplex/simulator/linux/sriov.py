"""SR-IOV: the bus numbers that VFs may need, and the VFs once enabled (`iov.c`, linux.md §4.7).

Firmware that leaves VFs enabled stands for a driver that enables as many: Linux switches them off
when it finds the PF, and the driver switches them on after the bridge has been scanned.
"""

from __future__ import annotations

from rootplex.formats.pci import ARI_HIERARCHY, VF_ENABLE, VF_MEMORY, SriovRegister
from rootplex.simulator.function import Function, Sriov
from rootplex.simulator.linux.access import Accessor
from rootplex.simulator.linux.bars import FIRST_VF_INDEX, size_block


def initialise(access: Accessor, function: Function, capability: int, *, ari: bool) -> None:
    """Find the VFs of a PF (`sriov_init`): fills `function.sriov` and adds the VF BARs. A PF whose
    offset or stride cannot be used stays without."""
    bus, devfn = function.bus.number, function.devfn
    control = access.read(bus, devfn, capability + SriovRegister.CONTROL, 2)
    wanted = 0
    if control & VF_ENABLE:
        wanted = access.read(bus, devfn, capability + SriovRegister.NUM_VFS, 2)
        access.write(bus, devfn, capability + SriovRegister.CONTROL, 2, 0)
    total = access.read(bus, devfn, capability + SriovRegister.TOTAL_VFS, 2)
    if total == 0:
        return
    access.write(bus, devfn, capability + SriovRegister.CONTROL, 2, ARI_HIERARCHY if ari else 0)
    reserve = _last_bus(access, function, capability, total)
    access.write(bus, devfn, capability + SriovRegister.NUM_VFS, 2, 0)
    if reserve is None:
        return
    function.bars += size_block(access, bus, devfn, capability + SriovRegister.VF_BARS, 6, FIRST_VF_INDEX)
    vf_device = access.read(bus, devfn, capability + SriovRegister.VF_DEVICE, 2)
    function.sriov = Sriov(capability, total, vf_device, min(wanted, total), reserve)


def _last_bus(access: Accessor, function: Function, capability: int, total: int) -> int | None:
    """The highest bus that any number of VFs needs, or None where they cannot be placed
    (`compute_max_vf_buses`). Offset and stride may follow NumVFs: they are asked for all VFs and for one.
    The kernel keeps 8 bits of the highest so far as it goes down from all VFs: bus 0x100 counts as 0."""
    last = 0
    for count in (total, 1):
        access.write(function.bus.number, function.devfn, capability + SriovRegister.NUM_VFS, 2, count)
        offset, stride = layout(access, function, capability)
        if not offset or (count > 1 and not stride):
            return None
        for number in range(count, 0 if count == 1 else 1, -1):
            bus = function.rid + offset + (number - 1) * stride >> 8
            if bus > last:
                last = bus & 0xFF
    return last


def layout(access: Accessor, function: Function, capability: int) -> tuple[int, int]:
    """(First VF Offset, VF Stride) as they stand."""
    bus, devfn = function.bus.number, function.devfn
    offset = access.read(bus, devfn, capability + SriovRegister.FIRST_VF_OFFSET, 2)
    return offset, access.read(bus, devfn, capability + SriovRegister.VF_STRIDE, 2)


def enable(access: Accessor, function: Function, last_bus: int) -> list[int]:
    """Enable the wanted VFs of a PF (`sriov_enable`): their RIDs in order, none where it fails (`refused`).
    `last_bus` is the last one of the host bridge: a bus below keeps within it, whatever its bridge says."""
    sriov = function.sriov
    assert sriov is not None
    bus, devfn, at = function.bus.number, function.devfn, sriov.capability
    missing = [bar.index for bar in function.bars if bar.index >= FIRST_VF_INDEX and bar.pci is None]
    if missing:
        sriov.refused = "no-place"
        return []
    access.write(bus, devfn, at + SriovRegister.NUM_VFS, 2, sriov.wanted)
    offset, stride = layout(access, function, at)
    rids = [function.rid + offset + index * stride for index in range(sriov.wanted)]
    limit = min(function.bus.last, last_bus)
    if rids and rids[-1] >> 8 > limit:
        access.write(bus, devfn, at + SriovRegister.NUM_VFS, 2, 0)
        sriov.refused = rids[-1] >> 8, limit
        return []
    control = access.read(bus, devfn, at + SriovRegister.CONTROL, 2)
    access.write(bus, devfn, at + SriovRegister.CONTROL, 2, control | VF_ENABLE | VF_MEMORY)
    return rids
