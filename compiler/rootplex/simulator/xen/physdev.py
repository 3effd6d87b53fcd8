"""The physdev operations on devices: add, remove, reset, MSI-X, and the older manage calls (§2).

Each handler takes the shared state and the operation's fields by name, and returns 0 or a negative
errno. Who may call, and on which architecture, is decided before (`hypercalls`).
"""

from __future__ import annotations

from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.create import (
    CAP_PCIX,
    EXT_CAP_ACS,
    EXT_CAP_SRIOV,
    Function,
    has_extended_space,
    make_record,
)
from rootplex.simulator.xen.errno import Errno
from rootplex.simulator.xen.outcome import stop
from rootplex.simulator.xen.records import DOM0, Record

Args = dict[str, int]

FLAG_EXTFN, FLAG_VIRTFN, FLAG_PXM = 1, 2, 4
RESET_FLAGS = 0x3
ACS_ENABLED = 0x01 | 0x04 | 0x08 | 0x10
"""Source Validation, P2P Request and Completion Redirect, Upstream Forwarding (§4.2)."""
SRIOV_CONTROL, SRIOV_BARS, VF_ENABLE, VF_MEMORY = 0x08, 0x24, 0x1, 0x8


def pci_device_add(core: Core, args: Args) -> int:
    """`pci_device_add` (25). Errors: -ENODEV (VF without its PF), vPCI's and the IOMMU's."""
    flags = args["flags"]
    physfn = (args["physfn_bus"], args["physfn_devfn"]) if flags & FLAG_VIRTFN else None
    return add(core, args["seg"], args["bus"], args["devfn"], bool(flags & FLAG_EXTFN), physfn)


def manage_pci_add(core: Core, args: Args) -> int:
    """`manage_pci_add` (15): segment 0, nothing said about the function."""
    return add(core, 0, args["bus"], args["devfn"], None, None)


def manage_pci_add_ext(core: Core, args: Args) -> int:
    """`manage_pci_add_ext` (20): segment 0; -EINVAL for truth values above 1."""
    if args["is_extfn"] > 1 or args["is_virtfn"] > 1:
        return -Errno.EINVAL
    physfn = (args["physfn_bus"], args["physfn_devfn"]) if args["is_virtfn"] else None
    return add(core, 0, args["bus"], args["devfn"], bool(args["is_extfn"]), physfn)


def pci_device_remove(core: Core, args: Args) -> int:
    """`pci_device_remove` (26)."""
    return remove(core, args["seg"], args["bus"], args["devfn"])


def manage_pci_remove(core: Core, args: Args) -> int:
    """`manage_pci_remove` (16): segment 0."""
    return remove(core, 0, args["bus"], args["devfn"])


def pci_device_reset(core: Core, args: Args) -> int:
    """`pci_device_reset` (32): -EINVAL, -ENODEV, or 0. The lock of an ownerless record's domain
    is at address 0: data abort."""
    if args["flags"] & ~RESET_FLAGS:
        return -Errno.EINVAL
    record = core.records.find(args["seg"], args["bus"], args["devfn"])
    if record is None:
        return -Errno.ENODEV
    if record.owner is None:
        cause = f"reset of {record.sbdf}, whose record has no owner"
        raise stop("page fault" if core.x86 else "data abort", cause, "§2.6, XP-40")
    if core.vpci is not None:
        core.vpci.detach(record)
        return core.vpci.attach(record)
    return 0


def prepare_msix(core: Core, args: Args) -> int:
    """`prepare_msix` (30): 0 without MSI; -ENODEV; -EBUSY (vectors in use)."""
    return _msix(core, args, in_use=0)


def release_msix(core: Core, args: Args) -> int:
    """`release_msix` (31): 0 without MSI; -ENODEV; -EBUSY (none prepared, or vectors in use)."""
    return _msix(core, args, in_use=1)


def restore_msi(core: Core, args: Args) -> int:
    """`restore_msi` (19) and `restore_msi_ext` (27): -ENODEV for an unknown device."""
    known = core.records.find(args.get("seg", 0), args["bus"], args["devfn"])
    return 0 if known is not None else -Errno.ENODEV


def pci_mmcfg_reserved(core: Core, args: Args) -> int:
    """`pci_mmcfg_reserved` (24): `McfgWindows.reserved`, then the known devices of those buses are
    looked at again for extended configuration space. A PVH Dom0's area is trapped as well."""
    segment, start, end = args["segment"], args["start_bus"], args["end_bus"]
    result = core.windows.reserved(args["address"], segment, start, end, args["flags"])
    known = core.records.segments.get(segment)
    if result == 0 and known is not None:
        for record in known.devices.values():
            if start <= record.bus <= end:
                function = Function(core, record.segment, record.bus, record.devfn)
                pcix = dict(function.capabilities()).get(CAP_PCIX)
                record.extended = has_extended_space(core, function, record, pcix)
    if result == 0 and args["flags"] and core.trap_area is not None:
        return core.trap_area(args["address"], segment, start, end)
    return result


def add(
    core: Core, segment: int, bus: int, devfn: int, extfn: bool | None, physfn: tuple[int, int] | None
) -> int:
    """`pci_add_device` (§2.3). `extfn` None: the caller says nothing about the function. Neither
    the function, nor a bridge for it, nor its segment need exist. A record that is made here stays
    after most failures, ownerless."""
    if core.admit is not None and (refused := core.admit(segment, bus, devfn)):
        return refused
    core.records.segment(segment)
    record = core.records.find(segment, bus, devfn) or make_record(core, segment, bus, devfn)
    if physfn is not None:
        parent = core.records.find(segment, *physfn)
        if parent is None:
            core.notice("vf-without-pf", f"{record.sbdf}: VF added without its PF")
            core.records.free(record)
            return -Errno.ENODEV
        if record.physfn is None:
            record.physfn = parent
            parent.virtual_functions.append(record)
            if not record.extended:
                core.notice("vf-without-extended", f"{record.sbdf}: VF without extended configuration space")
        record.virtfn, record.extfn = True, parent.extfn
    elif extfn is not None:
        record.virtfn, record.extfn = False, extfn
    if physfn is None and record.extended and record.vf_bars is None:
        _size_vf_bars(core, record)
    if record.owner is None and (error := _own(core, record)):
        return error
    _enable_acs(core, record)
    core.notice("added", f"add {record.kind} {record.sbdf}")
    for phantom in list(record.functions())[1:]:
        core.notice("added-phantom", f"add phantom function {phantom & 7} of {record.sbdf}")
    return 0


def _own(core: Core, record: Record) -> int:
    """Make the record Dom0's: vPCI, then the IOMMU; on an error it is ownerless again."""
    record.owner = DOM0
    error = core.vpci.attach(record) if core.vpci is not None else 0
    if error == 0 and core.iommu is not None:
        error = core.iommu.add(record)
        if error and core.vpci is not None:
            core.vpci.detach(record)
    if error:
        record.owner = None
    return error


def remove(core: Core, segment: int, bus: int, devfn: int) -> int:
    """`pci_remove_device` (§2.5): -ENODEV; -EBUSY (VFs are left: they and the PF are marked
    broken); -EINVAL (ownerless, freed all the same); else freed, with the IOMMU's result."""
    record = core.records.find(segment, bus, devfn)
    if record is None:
        return -Errno.ENODEV
    if record.virtual_functions:
        core.notice("pf-with-vfs", f"{record.sbdf}: PF removed while VFs are left")
        for left in (record, *record.virtual_functions):
            left.broken = True
        return -Errno.EBUSY
    if core.vpci is not None:
        core.vpci.detach(record)
    if record.owner is None:
        result = -Errno.EINVAL
    else:
        result = core.iommu.remove(record) if core.iommu is not None else 0
    core.records.free(record)
    return result


def _msix(core: Core, args: Args, in_use: int) -> int:
    if not core.options.msi:
        return 0
    record = core.records.find(args["seg"], args["bus"], args["devfn"])
    if record is None:
        return -Errno.ENODEV
    if record.msix is None:
        raise stop("page fault", f"{record.sbdf} has no MSI-X, which nobody checks", "§2.7")
    if record.msix_used != in_use:
        return -Errno.EBUSY
    record.msix_used = 1 - in_use
    return 0


def _size_vf_bars(core: Core, record: Record) -> None:
    """Size the six VF BARs of a PF whose VFs are off, by writing ones (bytes each, 0 for none)."""
    function = Function(core, record.segment, record.bus, record.devfn)
    offset = function.extended_capability(EXT_CAP_SRIOV)
    if offset is None:
        return
    if function.read(offset + SRIOV_CONTROL, 2) & (VF_ENABLE | VF_MEMORY):
        core.notice("vfs-already-enabled", f"{record.sbdf}: VFs are enabled already")
        return
    sizes = [0] * 6
    index = 0
    while index < 6:
        at = offset + SRIOV_BARS + 4 * index
        bar = function.read(at, 4)
        wide = bar & 0x7 == 0x4
        if bar & 1:
            core.notice("vf-io-bar", f"{record.sbdf}: VF BAR {index} in I/O space")
        elif wide and index == 5:
            core.notice("vf-bar-last-slot", f"{record.sbdf}: 64-bit VF BAR in the last slot")
        else:
            sizes[index] = _bar_size(function, at, 2 if wide else 1)
        index += 2 if wide else 1
    record.vf_bars = tuple(sizes)


def _bar_size(function: Function, at: int, dwords: int) -> int:
    """Write ones, read back, restore: the size in bytes that the address bits leave."""
    mask = 0
    for index in range(dwords):
        value = function.read(at + 4 * index, 4)
        function.write(at + 4 * index, 4, 0xFFFFFFFF)
        mask |= function.read(at + 4 * index, 4) << 32 * index
        function.write(at + 4 * index, 4, value)
    mask &= ~0xF
    return mask & -mask


def _enable_acs(core: Core, record: Record) -> None:
    """`pci_enable_acs`: switch on what the capability offers of four bits; never clear any."""
    if core.iommu is None or not record.extended:
        return
    function = Function(core, record.segment, record.bus, record.devfn)
    offset = function.extended_capability(EXT_CAP_ACS)
    if offset is None:
        return
    control = function.read(offset + 6, 2)
    function.write(offset + 6, 2, control | function.read(offset + 4, 2) & ACS_ENABLED)
